// SPDX-License-Identifier: Apache-2.0
// See pack.h. Runs once per layer at load; plain loops.
#include "kernels/depthwise/pack.h"

#include <cstring>

#include "kernels/depthwise/sum_order.h"

namespace aq {
namespace {

size_t PaddedChannels(size_t channels) { return (channels + kChannelPad - 1) / kChannelPad * kChannelPad; }

int32_t Weight(const WeightSource& source, size_t channel, size_t tap) {
  const uint8_t code = CodeAt(source.codes, channel * source.taps + tap, source.bits);
  return DecodeWeight(code, source.bits, source.codebook) -
         (source.zero_points != nullptr ? source.zero_points[channel] : 0);
}

size_t BlockBytes(const SumOrder& order, size_t taps) { return order.block * (2 + TapSlots(taps)); }

void PackWide(const WeightSource& source, int16_t* packed) {
  const size_t padded = PaddedChannels(source.n);
  for (size_t channel = 0; channel < source.n; ++channel) {
    for (size_t slot = 0; slot < TapSlots(source.taps); ++slot) {
      if (!IsTapOfSlot(source.taps, slot)) continue;
      packed[slot * padded + channel] = static_cast<int16_t>(Weight(source, channel, TapOfSlot(source.taps, slot)));
    }
  }
}

}  // namespace

SumRange RangeOfSums(const WeightSource& source, size_t channel, int32_t max_code) {
  SumRange range;
  for (size_t tap = 0; tap < source.taps; ++tap) {
    const int32_t w = Weight(source, channel, tap);
    (w > 0 ? range.high : range.low) += w * max_code;
  }
  return range;
}

int32_t BiasInSums(const SumRange& range, int32_t bias) {
  const bool fits = int64_t{range.low} + bias > INT16_MIN && int64_t{range.high} + bias <= INT16_MAX;
  return fits ? bias : 0;
}

bool FitsInt16Sums(const WeightSource& source, int32_t max_code) {
  if (source.taps > 2 * kDepthwisePairs) return false;
  for (size_t channel = 0; channel < source.n; ++channel) {
    for (size_t tap = 0; tap < source.taps; ++tap) {
      const int32_t w = Weight(source, channel, tap);
      if (w != static_cast<int8_t>(w)) return false;
    }
    const SumRange range = RangeOfSums(source, channel, max_code);
    if (range.high > INT16_MAX || range.low <= INT16_MIN) return false;
  }
  return true;
}

size_t DepthwiseWeightBytes(const DepthwiseKernel& kernel, size_t taps, size_t channels) {
  const size_t padded = PaddedChannels(channels);
  return kernel.sums_in_int16 ? padded / kernel.order.block * BlockBytes(kernel.order, taps)
                              : padded * TapSlots(taps) * sizeof(int16_t);
}

void PackDepthwise(const WeightSource& source, int32_t max_code, const DepthwiseKernel& kernel, int32_t* bias,
                   void* packed) {
  std::memset(packed, 0, DepthwiseWeightBytes(kernel, source.taps, source.n));
  if (!kernel.sums_in_int16) return PackWide(source, static_cast<int16_t*>(packed));
  const SumOrder& order = kernel.order;
  for (size_t channel = 0; channel < source.n; ++channel) {
    const size_t place = PlaceInSums(order, channel % order.block);
    int8_t* const block = static_cast<int8_t*>(packed) + channel / order.block * BlockBytes(order, source.taps);
    int8_t* const weights = block + 2 * order.block;
    int32_t sum = 0;
    for (size_t slot = 0; slot < TapSlots(source.taps); ++slot) {
      if (!IsTapOfSlot(source.taps, slot)) continue;
      const int32_t w = Weight(source, channel, TapOfSlot(source.taps, slot));
      sum += w;
      weights[slot / 2 * 2 * order.block + PlaceInPairs(order, place, slot % 2)] = static_cast<int8_t>(w);
    }
    const int32_t in_sums = BiasInSums(RangeOfSums(source, channel, max_code), bias[channel]);
    bias[channel] -= in_sums;
    reinterpret_cast<int16_t*>(block)[place] = static_cast<int16_t>(in_sums + sum * order.flip);
  }
}

}  // namespace aq
