// SPDX-License-Identifier: Apache-2.0
// A step of its own for every channel that a depthwise convolution reads, at no cost: its weights have a scale per
// channel already, so a channel's factor can move from the layer before into them. The float network stays the same,
// and every channel fills the range of the tensor, where otherwise one step serves channels that differ tenfold.
#pragma once

#include <span>

#include "converter/convert.h"
#include "converter/graph.h"

namespace aq::converter {

// Scales every convolution with a ReLU (or ReLU6) whose only reader is a depthwise convolution with activations of less
// than 8 bits, by the ranges that options.ranges finds for its channels on images `indices` (the first 128 of them).
// Returns the number of tensors scaled.
Result<int> FitChannelSteps(const ImageSource& images, std::span<const size_t> indices, const ConvertOptions& options,
                            const Progress& progress, Graph* graph);

}  // namespace aq::converter
