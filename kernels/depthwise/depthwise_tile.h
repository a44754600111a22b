// SPDX-License-Identifier: Apache-2.0
// The depthwise loops: output pixels side by side, a block of channels at a time, taps in pairs. Wide multiplies in 16
// bits; narrow adds bytes' products in int16 and, where requantize_sums.h could, makes codes of the sums in registers.
#pragma once

#include "kernels/depthwise/depthwise.h"
#include "kernels/requantize/requantize_row.h"

namespace aq {
namespace {

inline constexpr size_t kChunk = kChannelPad;  // accumulators on the stack between the taps and the epilogue

AQ_INLINE size_t PaddedChannels(size_t channels) { return (channels + kChunk - 1) / kChunk * kChunk; }

// sum(chunk, channels, acc [m][kChunk]) for all chunks, then the general epilogue.
template <class Isa, class Sum>
AQ_INLINE void ForEachChunk(const DepthwiseTile& tile, Sum&& sum) {
  alignas(64) int32_t buffer[kDepthwisePixels * kChunk];
  int32_t* const acc = Opaque(buffer);
  for (size_t chunk = 0; chunk < tile.channels; chunk += kChunk) {
    const size_t channels = tile.channels - chunk < kChunk ? tile.channels - chunk : kChunk;
    sum(chunk, channels, acc);
    for (int o = 0; o < tile.outputs; ++o) {
      const size_t bytes = tile.requantize[o].output_bytes();
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
        const ptrdiff_t at = static_cast<ptrdiff_t>(i) * tile.step + static_cast<ptrdiff_t>(chunk + c);
        auto sums = Isa::ZeroTaps();
        size_t slot = 0;
        for (; slot + 2 <= tile.taps; slot += 2, w += 2 * c_padded) {
          sums = Isa::DotTaps(sums, tile.rows[slot] + at, tile.rows[slot + 1] + at, w, w + c_padded);
        }
        if (slot < tile.taps) sums = Isa::DotTap(sums, tile.rows[slot + 1] + at, w + c_padded);
        Isa::Store(acc + i * kChunk + c, Isa::Add(Isa::FinishTaps(sums), bias));
      }
    }
  });
}

// Pairs of taps: this, or an Index, known at compile time so that the loop over taps unrolls.
struct PairCount {
  static constexpr int kValue = 0;
  size_t count;
  AQ_INLINE operator size_t() const { return count; }  // NOLINT: implicit as Index
};

// One block of channels of some pixels, then finish(i, sums) for each pixel in order.
template <class Isa, int kPixels, class Pairs, class Finish>
AQ_INLINE void SumPixels(const DepthwiseTile& tile, Pairs pairs, const int8_t* block, size_t channel, size_t i,
                         Finish&& finish) {
  constexpr size_t kBlock = Isa::kSumChannels;
  const int8_t* weights = block + 2 * kBlock;
  const ptrdiff_t at = static_cast<ptrdiff_t>(i) * tile.step + static_cast<ptrdiff_t>(channel);
  typename Isa::Sums sums[kPixels];
  Unroll<kPixels>([&](auto p) AQ_LAMBDA { sums[p] = Isa::LoadSums(reinterpret_cast<const int16_t*>(block)); });
  for (size_t pair = 0; pair < static_cast<size_t>(pairs); ++pair, weights += 2 * kBlock) {
    const auto w = Isa::LoadTapWeights(weights);
    const uint8_t *first = tile.rows[2 * pair] + at, *second = tile.rows[2 * pair + 1] + at;
    Unroll<kPixels>([&](auto p) AQ_LAMBDA {
      const auto taps = Isa::PairTaps(Isa::LoadTaps(first + p * tile.step), Isa::LoadTaps(second + p * tile.step));
      sums[p] = Isa::DotTwoTaps(sums[p], taps, w);
    });
  }
  Unroll<kPixels>([&](auto p) AQ_LAMBDA { finish(i + static_cast<size_t>(p), sums[p]); });
}

// One column of a 3x3 window: its upper two rows, to be multiplied together, and its lower one.
template <class Isa>
struct Column {
  typename Isa::TapPairs upper;
  typename Isa::Taps lower;
};

// Three rows at one column.
struct ColumnPointers {
  const uint8_t *top, *middle, *bottom;

  template <class Isa>
  AQ_INLINE Column<Isa> Load(size_t channel) const {
    return {Isa::PairTaps(Isa::LoadTaps(top + channel), Isa::LoadTaps(middle + channel)),
            Isa::LoadTaps(bottom + channel)};
  }
  AQ_INLINE void Move(const ptrdiff_t (&by)[3]) {
    top += by[0];
    middle += by[1];
    bottom += by[2];
  }
};

// 3x3 from left to right, by pixels that are kSlide columns apart. A column is loaded and interleaved once: its upper
// rows are added to the sums of all pixels that see it.
template <class Isa, int kSlide, class Finish>
AQ_INLINE void SlidePixels(const DepthwiseTile& tile, const int8_t* block, size_t channel, Finish&& finish) {
  constexpr size_t kBlock = Isa::kSumChannels;
  const auto weights = [&](int slots) AQ_LAMBDA { return Isa::LoadTapWeights(block + 2 * kBlock * (1 + slots)); };
  const auto start = Isa::LoadSums(reinterpret_cast<const int16_t*>(block));
  const auto sum = [&](const Column<Isa>& left, const Column<Isa>& middle) AQ_LAMBDA {
    const auto sums = Isa::DotTwoTaps(Isa::DotTwoTaps(start, left.upper, weights(0)), middle.upper, weights(1));
    return Isa::DotTwoTaps(sums, Isa::PairTaps(left.lower, middle.lower), weights(3));
  };
  const uint8_t* const* rows = tile.rows;
  const ptrdiff_t steps[3] = {kSlide * tile.row_steps[0], kSlide * tile.row_steps[1], kSlide * tile.row_steps[2]};
  ColumnPointers middle_at = {rows[2], rows[3], rows[7]}, right_at = {rows[4], rows[5], rows[9]};
  auto left = ColumnPointers{rows[0], rows[1], rows[6]}.template Load<Isa>(channel);
  auto middle = left;
  auto sums = start, next = start;  // of this pixel, where kSlide = 1 of the next one too
  if constexpr (kSlide == 1) {
    middle = middle_at.template Load<Isa>(channel);
    sums = sum(left, middle);
    next = Isa::DotTwoTaps(start, middle.upper, weights(0));
  }
  size_t i = 0;
  const auto slide_to = [&](size_t end) AQ_LAMBDA {
    for (; i < end; ++i) {
      if constexpr (kSlide == 2) {
        middle = middle_at.template Load<Isa>(channel);
        sums = sum(left, middle);
        middle_at.Move(steps);
      }
      const auto right = right_at.template Load<Isa>(channel);
      right_at.Move(steps);
      const auto lower = Isa::PairTaps(middle.lower, right.lower);
      finish(i, Isa::DotTwoTaps(Isa::DotTwoTaps(sums, lower, weights(4)), right.upper, weights(2)));
      if constexpr (kSlide == 1) {
        sums = Isa::DotTwoTaps(Isa::DotTwoTaps(next, right.upper, weights(1)), lower, weights(3));
        next = Isa::DotTwoTaps(start, right.upper, weights(0));
        middle = right;
      } else {
        left = right;
      }
    }
  };
  for (size_t end = tile.m - 1; i < tile.m; end = tile.m) {
    slide_to(end);
    right_at = {tile.last[0], tile.last[1], tile.last[2]};
  }
}

template <class Isa, class Pairs, class Finish>
AQ_INLINE void SumBlock(const DepthwiseTile& tile, Pairs pairs, size_t channel, Finish&& finish) {
  constexpr size_t kPixels = Isa::kSumPixels;
  const size_t block_bytes = 2 * Isa::kSumChannels * (1 + static_cast<size_t>(pairs));
  const int8_t* block = static_cast<const int8_t*>(tile.weights) + channel / Isa::kSumChannels * block_bytes;
  if constexpr (Pairs::kValue == 5) {
    if (tile.slide == 1) return SlidePixels<Isa, 1>(tile, block, channel, finish);
    if (tile.slide == 2) return SlidePixels<Isa, 2>(tile, block, channel, finish);
  }
  size_t i = 0;
  for (; i + kPixels <= tile.m; i += kPixels) {
    SumPixels<Isa, static_cast<int>(kPixels)>(tile, pairs, block, channel, i, finish);
  }
  for (; kPixels > 1 && i < tile.m; ++i) SumPixels<Isa, 1>(tile, pairs, block, channel, i, finish);
}

template <class Isa, class Pairs>
AQ_INLINE void RunThroughMemory(const DepthwiseTile& tile, Pairs pairs) {
  ForEachChunk<Isa>(tile, [&](size_t chunk, size_t channels, int32_t* acc) AQ_LAMBDA {
    for (size_t c = 0; c < channels; c += Isa::kSumChannels) {
      SumBlock<Isa>(tile, pairs, chunk + c, [&](size_t i, const typename Isa::Sums& sums) AQ_LAMBDA {
        Isa::StoreSums(sums, tile.bias + chunk + c, acc + i * kChunk + c);
      });
    }
  });
}

// codes(constants of the block, sums) -> SumCodes.
template <class Isa, class Pairs, class Codes>
AQ_INLINE void RunInRegisters(const DepthwiseTile& tile, Pairs pairs, size_t bytes_per_channel, Codes&& codes) {
  constexpr size_t kBlock = Isa::kSumChannels;
  uint8_t* const out = static_cast<uint8_t*>(tile.out[0]);
  const size_t channels = tile.channels;  // here: stores of codes might change the tile's
  for (size_t channel = 0; channel < channels; channel += kBlock) {
    const uint8_t* constants = tile.of_sums.blocks + channel * bytes_per_channel;
    uint8_t* to = out + channel;  // of the next pixel: they come in order
    if (channel + kBlock <= channels) {
      SumBlock<Isa>(tile, pairs, channel, [&](size_t, const typename Isa::Sums& sums) AQ_LAMBDA {
        Isa::StoreSumCodes(to, codes(constants, sums));
        to += channels;
      });
    } else {
      SumBlock<Isa>(tile, pairs, channel, [&](size_t, const typename Isa::Sums& sums) AQ_LAMBDA {
        uint8_t buffer[kBlock];
        Isa::StoreSumCodes(buffer, codes(constants, sums));
        size_t c = 0;
        for (; channel + c + 8 <= channels; c += 8) std::memcpy(to + c, buffer + c, 8);
        for (; channel + c < channels; ++c) to[c] = buffer[c];
        to += channels;
      });
    }
  }
}

template <class Isa>
AQ_INLINE SumScale ScaleOf(const uint8_t* constants) {
  constexpr size_t kBlock = Isa::kSumChannels;
  const int16_t* low = reinterpret_cast<const int16_t*>(constants);
  const int32_t* offset = reinterpret_cast<const int32_t*>(low + 3 * kBlock);
  return {low, low + kBlock, offset, offset + kBlock};
}

template <class Isa, class Pairs>
AQ_INLINE void RunDepthwisePairs(const DepthwiseTile& tile, Pairs pairs) {
  using Sums = typename Isa::Sums;
  constexpr size_t kScaleBytes = 3 * sizeof(int16_t) + 2 * sizeof(int32_t);
  switch (tile.of_sums.form) {
    case SumForm::kNone:
      return RunThroughMemory<Isa>(tile, pairs);
    case SumForm::kClamp: {
      const auto top = Isa::SetSumCodes(tile.requantize->max_level);
      return RunInRegisters<Isa>(tile, pairs, kScaleBytes, [&](const uint8_t* constants, const Sums& sums) AQ_LAMBDA {
        return Isa::ClampSums(Isa::ScaleSums(sums, ScaleOf<Isa>(constants)), top);
      });
    }
    case SumForm::kBorder: {
      const auto rounding = Isa::LoadSumRounding(*tile.requantize);
      return RunInRegisters<Isa>(tile, pairs, kScaleBytes, [&](const uint8_t* constants, const Sums& sums) AQ_LAMBDA {
        return Isa::RoundSums(Isa::ScaleSums(sums, ScaleOf<Isa>(constants)), rounding);
      });
    }
    case SumForm::kThresholds:
      return RunInRegisters<Isa>(tile, pairs, kThresholds * sizeof(int16_t),
                                 [&](const uint8_t* constants, const Sums& sums) AQ_LAMBDA {
                                   return Isa::CountSumsAbove(sums, reinterpret_cast<const int16_t*>(constants));
                                 });
  }
}

template <class Isa>
AQ_INLINE void RunDepthwiseNarrow(const DepthwiseTile& tile) {
  if (tile.taps == 9) {
    RunDepthwisePairs<Isa>(tile, Index<5>());
  } else {
    RunDepthwisePairs<Isa>(tile, PairCount{(tile.taps + 1) / 2});
  }
}

}  // namespace
}  // namespace aq

// Stamps one table row (kernels.inc) as a function.
#define AQ_DEPTHWISE(isa, Enum, Struct, label, block, run_, flip)     \
  void depthwise_##isa##_##label(const DepthwiseTile& tile) {         \
    if constexpr ((block) != 0) {                                     \
      static_assert((block) == 0 || (block) == Struct::kSumChannels); \
      RunDepthwiseNarrow<Struct>(tile);                               \
    } else {                                                          \
      RunDepthwiseWide<Struct>(tile);                                 \
    }                                                                 \
  }
