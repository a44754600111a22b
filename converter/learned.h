// SPDX-License-Identifier: Apache-2.0
// What block reconstruction (reconstruct.h) found and quantize.h builds the integer model from, in place of parameters
// searched tensor by tensor. Plain data, already on the runtime's integer grid.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "converter/ranges.h"
#include "converter/weight_quantizer.h"

namespace aq::converter {

// One quantisation of a group of values (activation_plan.h). At most one of the three kinds of border is set.
struct LearnedActivation {
  QuantParams params;
  std::vector<uint8_t> border;               // [16], per tensor
  std::vector<uint16_t> channel_thresholds;  // [c][3], 2 bits
  // Affine border, [1] or [c]: Q.8 value = x * gain * 256 / scale + offset. It folds into multiplier and offset.
  std::vector<float> gain;
  std::vector<int32_t> offset;

  float GainAt(size_t c) const { return gain.empty() ? 1.0f : gain[gain.size() == 1 ? 0 : c]; }
  int32_t OffsetAt(size_t c, int32_t nearest) const {
    return offset.empty() ? nearest : offset[offset.size() == 1 ? 0 : c];
  }
};

struct LearnedLayer {
  QuantizedWeights weights;  // codes in the order of the graph's weights
  std::vector<float> bias;   // empty: the graph's
};

struct LearnedQuantization {
  std::map<std::pair<int, int>, LearnedActivation> activations;  // by (group, bits)
  std::map<int, LearnedLayer> layers;                            // by node; others are rounded to nearest

  const LearnedActivation* Find(int group, int bits) const {
    const auto it = activations.find({group, bits});
    return it == activations.end() ? nullptr : &it->second;
  }
};

}  // namespace aq::converter
