// SPDX-License-Identifier: Apache-2.0
// Random views of calibration images: flips, shifts, mixes. A few thousand images are too few to tune a network on as
// they are; any view will do, because the float network says what it should give. Called by tune.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "converter/graph.h"

namespace aq::converter {

// Images `indices` of `images` ([all][c, h, w] floats), each shifted by up to an eighth of its sides (borders repeat),
// flipped left to right half of the time, and half of the time mixed with another of the batch. The same for the same
// key, whatever else is drawn. shape: batch 1, rank 4; other ranks are only mixed.
void Augment(const float* images, const Shape& shape, std::span<const int64_t> indices, uint64_t key,
             std::vector<float>* batch);

}  // namespace aq::converter
