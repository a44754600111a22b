// SPDX-License-Identifier: Apache-2.0
// The depthwise loops: a few output pixels, a chunk of channels at a time, taps in pairs. Wide multiplies in 16 bits;
// narrow adds bytes' products in int16.
#pragma once

#include "kernels/depthwise/depthwise.h"
#include "kernels/requantize/requantize_row.h"

namespace aq {
namespace {

inline constexpr size_t kChunk = kChannelPad;  // accumulators on the stack between the taps and the epilogue

AQ_INLINE size_t PaddedChannels(size_t channels) { return (channels + kChunk - 1) / kChunk * kChunk; }

// sum(chunk, channels, acc [m][kChunk]) for all chunks, then the epilogue.
template <class Isa, class Sum>
AQ_INLINE void ForEachChunk(const DepthwiseTile& tile, Sum&& sum) {
  alignas(64) int32_t buffer[kDepthwisePixels * kChunk];
  int32_t* const acc = Opaque(buffer);
  for (size_t chunk = 0; chunk < tile.channels; chunk += kChunk) {
    const size_t channels = tile.channels - chunk < kChunk ? tile.channels - chunk : kChunk;
    sum(chunk, channels, acc);
    for (int o = 0; o < tile.outputs; ++o) {
      const size_t bytes = tile.requantize[o].is_wide ? sizeof(int32_t) : 1;
      RequantizeRows<Isa>({.acc = acc,
                           .acc_stride = kChunk,
                           .rows = tile.m,
                           .column = chunk,
                           .columns = channels,
                           .residual = tile.residual != nullptr ? tile.residual + chunk : nullptr,
                           .out = static_cast<uint8_t*>(tile.out[o]) + chunk * bytes,
                           .stride = tile.channels},
                          tile.requantize[o]);
    }
  }
}

template <class Isa>
AQ_INLINE void RunDepthwiseWide(const DepthwiseTile& tile) {
  const size_t c_padded = PaddedChannels(tile.channels);
  ForEachChunk<Isa>(tile, [&](size_t chunk, size_t channels, int32_t* acc) AQ_LAMBDA {
    for (size_t c = 0; c < channels; c += kRowStep) {
      const auto bias = Isa::Load(tile.bias + chunk + c);
      for (size_t i = 0; i < tile.m; ++i) {
        const int16_t* w = static_cast<const int16_t*>(tile.weights) + chunk + c;
        const uint8_t* const* rows = tile.rows + i * tile.taps;
        auto sums = Isa::ZeroTaps();
        size_t tap = 0;
        for (; tap + 2 <= tile.taps; tap += 2, w += 2 * c_padded) {
          sums = Isa::DotTaps(sums, rows[tap] + chunk + c, rows[tap + 1] + chunk + c, w, w + c_padded);
        }
        if (tap < tile.taps) sums = Isa::DotTap(sums, rows[tap] + chunk + c, w);
        Isa::Store(acc + i * kChunk + c, Isa::Add(Isa::FinishTaps(sums), bias));
      }
    }
  });
}

// kPairs is a number, or an Index known at compile time so that the loop over taps unrolls.
template <class Isa, class Pairs>
AQ_INLINE void RunDepthwisePairs(const DepthwiseTile& tile, Pairs pairs_or_index) {
  constexpr size_t kStep = Isa::kPairChannels;
  const size_t pairs = static_cast<size_t>(pairs_or_index), last = tile.taps - 1;
  const size_t c_padded = PaddedChannels(tile.channels);
  alignas(64) int8_t buffer[kDepthwisePairs * 2 * kStep];
  int8_t* const ordered = Opaque(buffer);
  ForEachChunk<Isa>(tile, [&](size_t chunk, size_t channels, int32_t* acc) AQ_LAMBDA {
    for (size_t c = 0; c < channels; c += kStep) {
      const size_t channel = chunk + c;
      for (size_t pair = 0; pair < pairs; ++pair) {
        const int8_t* w = static_cast<const int8_t*>(tile.weights) + (pair * c_padded + channel) * 2;
        Isa::OrderPairWeights(w, ordered + pair * 2 * kStep);
      }
      for (size_t i = 0; i < tile.m; ++i) {
        const uint8_t* const* rows = tile.rows + i * tile.taps;
        auto sums = Isa::ZeroPairs();
        for (size_t pair = 0; pair < pairs; ++pair) {
          const size_t second = 2 * pair < last ? 2 * pair + 1 : last;  // an odd last tap stands twice, once times 0
          sums = Isa::DotPair(sums, rows[2 * pair] + channel, rows[second] + channel, ordered + pair * 2 * kStep);
        }
        Isa::StorePairs(sums, tile.bias + channel, acc + i * kChunk + c);
      }
    }
  });
}

template <class Isa>
AQ_INLINE void RunDepthwiseNarrow(const DepthwiseTile& tile) {
  if (tile.taps == 9) {
    RunDepthwisePairs<Isa>(tile, Index<5>());
  } else {
    RunDepthwisePairs<Isa>(tile, static_cast<int>((tile.taps + 1) / 2));
  }
}

}  // namespace
}  // namespace aq

// Stamps one table row (kernels.inc) as a function.
#define AQ_DEPTHWISE(isa, Enum, Struct, label, sums_in_int16) \
  void depthwise_##isa##_##label(const DepthwiseTile& tile) { \
    if constexpr (sums_in_int16) {                            \
      RunDepthwiseNarrow<Struct>(tile);                       \
    } else {                                                  \
      RunDepthwiseWide<Struct>(tile);                         \
    }                                                         \
  }
