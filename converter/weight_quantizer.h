// SPDX-License-Identifier: Apache-2.0
// Weights of one layer -> codes, per output channel: the step (and zero point) with the least L2.4 error; for 2 and 4
// bits the scale is then raised so that the quantised channel answers as strongly as the float one.
// Called by quantize.cc and unit_network.cc; knows nothing of graphs or files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "converter/squant.h"

namespace aq::converter {

// real = scale[n] * (Decoded(i) - zero_point[n]); codes are signed two's complement values of `bits` bits.
// Asymmetric 2-bit weights mean twice their code (codebook {0, 2, -4, -2}), so that a zero point may be half a step:
// with four levels, levels around zero fit a centred distribution better than a level on it.
struct QuantizedWeights {
  int bits = 8;
  std::vector<int8_t> codes;       // [n][per_channel]
  std::vector<int8_t> zero_point;  // [n], all zero when symmetric
  std::vector<float> scale;        // [n]
  std::vector<int8_t> codebook;    // [2^bits] by unsigned code; empty: codes mean themselves

  int Decoded(size_t i) const { return codebook.empty() ? codes[i] : 2 * codes[i]; }
};

// kMatchResponse is for codes rounded to nearest; learned rounding starts from kLeastError.
enum class WeightScale { kMatchResponse, kLeastError };

// How QuantizeWeights() chooses among grids and codes.
struct WeightRule {
  WeightScale scale = WeightScale::kMatchResponse;
  std::optional<KernelLayout> squant;  // flip codes as SQuant does; else to nearest
};

// min_scale [n]: channels with tiny weights and a large bias need a step that keeps the bias in int32.
// Symmetric 8-bit codes use +-127 only.
QuantizedWeights QuantizeWeights(std::span<const float> weights, size_t channels, int bits, bool is_asymmetric,
                                 std::span<const float> min_scale, int num_threads, const WeightRule& rule = {});

// Dense little-endian bit fields, as the file stores them.
std::vector<uint8_t> PackCodes(const std::vector<int8_t>& codes, int bits);

}  // namespace aq::converter
