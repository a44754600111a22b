// SPDX-License-Identifier: Apache-2.0
// The arithmetic of look-up tiles (lookup_tile.h), decided at load: one table of all products of a pair of 2-bit
// activations with a pair of 2-bit weights, and how many of them may be summed in a byte. No loop over activations.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/pack.h"

namespace aq {

// With weights w = centre + factor * u of small integers u, a column's sum is
//   sum(a * (w - z)) = factor * sum(a * u) - (z - centre) * sum(a),
// and sum(a * u) is that of table entries: products[16 * (a0 + 4 * a1) + (code0 + 4 * code1)] = a0 * u0 + a1 * u1,
// modulo 256. Sums of a run of entries start from `start`, so that they stay within a byte whichever their sign.
struct PairTable {
  alignas(64) uint8_t products[256] = {};
  uint8_t start = 0;
  int16_t factor = 1;
  int32_t centre = 0;
};
inline constexpr int32_t kPairMaxCode = 3;

// codebook [4], null = two's complement.
PairTable MakePairTable(const int8_t* codebook);

// How many consecutive pairs of a column may be summed in a byte whatever the activations, for these very weights. 0 if
// the layer does not suit a look-up: wider codes, or sums that do not fit int16.
size_t CountLookupSteps(const WeightSource& source, int32_t max_code);
// The same for the worst weights of this codebook.
size_t LeastLookupSteps(const WeightSource& source, int32_t max_code);

}  // namespace aq
