// SPDX-License-Identifier: Apache-2.0
// See pack.h. Runs once per layer at load; plain loops.
#include "kernels/depthwise/pack.h"

#include <cstring>

namespace aq {
namespace {

size_t PaddedChannels(size_t channels) { return (channels + kChannelPad - 1) / kChannelPad * kChannelPad; }

int32_t Weight(const WeightSource& source, size_t channel, size_t tap) {
  const uint8_t code = CodeAt(source.codes, channel * source.taps + tap, source.bits);
  return DecodeWeight(code, source.bits, source.codebook) -
         (source.zero_points != nullptr ? source.zero_points[channel] : 0);
}

}  // namespace

bool FitsInt16Sums(const WeightSource& source, int32_t max_code) {
  if (source.taps > 2 * kDepthwisePairs) return false;
  for (size_t channel = 0; channel < source.n; ++channel) {
    int32_t positive = 0, negative = 0;
    for (size_t tap = 0; tap < source.taps; ++tap) {
      const int32_t w = Weight(source, channel, tap);
      if (w != static_cast<int8_t>(w)) return false;
      (w > 0 ? positive : negative) += w * max_code;
    }
    if (positive > INT16_MAX || negative < INT16_MIN) return false;
  }
  return true;
}

size_t DepthwiseWeightBytes(const DepthwiseKernel& kernel, size_t taps, size_t channels) {
  return PaddedChannels(channels) * 2 * (kernel.sums_in_int16 ? (taps + 1) / 2 : taps);
}

void PackDepthwise(const WeightSource& source, const DepthwiseKernel& kernel, void* packed) {
  const size_t padded = PaddedChannels(source.n);
  std::memset(packed, 0, DepthwiseWeightBytes(kernel, source.taps, source.n));
  for (size_t channel = 0; channel < source.n; ++channel) {
    for (size_t tap = 0; tap < source.taps; ++tap) {
      const int32_t w = Weight(source, channel, tap);
      if (kernel.sums_in_int16) {
        static_cast<int8_t*>(packed)[(tap / 2 * padded + channel) * 2 + tap % 2] = static_cast<int8_t>(w);
      } else {
        static_cast<int16_t*>(packed)[tap * padded + channel] = static_cast<int16_t>(w);
      }
    }
  }
}

}  // namespace aq
