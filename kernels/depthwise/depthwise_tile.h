// SPDX-License-Identifier: Apache-2.0
// The one depthwise loop: one output pixel, sixteen channels at a time, taps in pairs.
#pragma once

#include "kernels/depthwise/depthwise.h"
#include "kernels/requantize/requantize_row.h"

namespace aq {
namespace {

template <class Isa>
AQ_INLINE void RunDepthwiseTile(const DepthwiseTile& tile) {
  constexpr size_t kChunk = kChannelPad;  // accumulators on the stack between the taps and the epilogue
  const size_t c_padded = (tile.channels + kChannelPad - 1) / kChannelPad * kChannelPad;
  alignas(64) int32_t acc[kChunk];
  for (size_t chunk = 0; chunk < tile.channels; chunk += kChunk) {
    const size_t channels = tile.channels - chunk < kChunk ? tile.channels - chunk : kChunk;
    for (size_t c = 0; c < channels; c += kRowStep) {
      const int16_t* w = tile.weights + chunk + c;
      auto sums = Isa::ZeroTaps();
      size_t tap = 0;
      for (; tap + 2 <= tile.taps; tap += 2, w += 2 * c_padded) {
        sums = Isa::DotTaps(sums, tile.rows[tap] + chunk + c, tile.rows[tap + 1] + chunk + c, w, w + c_padded);
      }
      if (tap < tile.taps) sums = Isa::DotTap(sums, tile.rows[tap] + chunk + c, w);
      Isa::Store(acc + c, Isa::Add(Isa::FinishTaps(sums), Isa::Load(tile.bias + chunk + c)));
    }
    for (int o = 0; o < tile.outputs; ++o) {
      const Requantize& rq = tile.requantize[o];
      const size_t bytes = rq.is_wide ? sizeof(int32_t) : 1;
      RequantizeRows<Isa>({.acc = acc,
                           .column = chunk,
                           .columns = channels,
                           .residual = tile.residual != nullptr ? tile.residual + chunk : nullptr,
                           .out = static_cast<uint8_t*>(tile.out[o]) + chunk * bytes},
                          rq);
    }
  }
}

}  // namespace
}  // namespace aq
