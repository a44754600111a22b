// SPDX-License-Identifier: Apache-2.0
// Weights of one layer -> codes, per output channel: the step (and zero point) with the least L2.4 error.
// Called by quantize.cc; knows nothing of graphs or files.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace aq::converter {

// real = scale[n] * (codes[n][i] - zero_point[n]); codes are signed two's complement values of `bits` bits.
struct QuantizedWeights {
  int bits = 8;
  std::vector<int8_t> codes;       // [n][per_channel]
  std::vector<int8_t> zero_point;  // [n], all zero when symmetric
  std::vector<float> scale;        // [n]
};

// min_scale [n]: channels with tiny weights and a large bias need a step that keeps the bias in int32.
// Symmetric 8-bit codes use +-127 only.
QuantizedWeights QuantizeWeights(std::span<const float> weights, size_t channels, int bits, bool is_asymmetric,
                                 std::span<const float> min_scale, int num_threads);

// Dense little-endian bit fields, as the file stores them.
std::vector<uint8_t> PackCodes(const std::vector<int8_t>& codes, int bits);

}  // namespace aq::converter
