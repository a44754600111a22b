// SPDX-License-Identifier: Apache-2.0
// What the packers know of kernels that sum in int16: how far the sums reach, and where a channel's numbers go
// (SumOrder in depthwise.h).
#pragma once

#include "kernels/depthwise/depthwise.h"
#include "kernels/gemm/pack.h"

namespace aq {

// Bounds of one channel's sums over some taps, without bias.
struct SumRange {
  int32_t low = 0, high = 0;
};
// Weights must suit FitsInt16Sums.
SumRange RangeOfSums(const WeightSource& source, size_t channel, int32_t max_code);
// What of a channel's bias its sums can start from: nothing unless all of it. Sums stay above INT16_MIN.
int32_t BiasInSums(const SumRange& range, int32_t bias);

// Sums of a block are two vectors of 16-bit lanes: unpacking bytes leaves the lower eight of every sixteen channels in
// one, the upper eight in the other.
constexpr size_t PlaceInSums(const SumOrder& order, size_t channel) {
  return channel % 16 / 8 * (order.block / 2) + channel / 16 * 8 + channel % 8;
}
// The same once more for 32-bit lanes: the lower four of every eight, the upper four.
constexpr size_t PlaceInProducts(const SumOrder& order, size_t channel) {
  return channel % 16 / 8 * (order.block / 2) + channel % 8 / 4 * (order.block / 4) + channel / 16 * 4 + channel % 4;
}
// Of `which` of the two values beside each other that belong to `place`.
constexpr size_t PlaceInPairs(const SumOrder& order, size_t place, size_t which) {
  return place / order.run * 2 * order.run + which * order.run + place % order.run;
}

}  // namespace aq
