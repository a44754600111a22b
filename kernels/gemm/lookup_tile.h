// SPDX-License-Identifier: Apache-2.0
// The other inner loop of gemm_tile.h, for 2-bit weights and activations: a pair of activations selects a row of a
// table of sixteen products, pairs of weights index it. Two multiply-adds per byte looked up, whatever the codebook.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/pairs.h"
#include "kernels/isa/unroll.h"

namespace aq {
namespace {

template <class Isa>
inline constexpr bool kLooksUp = requires {
  typename Isa::PairRow;
};

// All kTiles vectors of columns of one group -> sums [kMr][kNr], zero points subtracted.
template <class Isa, int kWeightBits, int kMr, int kTiles>
AQ_INLINE void LookUpTile(const GemmTile& tile, const uint8_t* const* rows, const int32_t* row_sums, int32_t* sums) {
  constexpr int kColumns = Isa::kAccCols, kNr = kTiles * kColumns;
  constexpr int kSteps = 2;                                             // pairs sharing a packed byte
  constexpr int kStride = kWeightBits == 2 ? 0 : kTiles * Isa::kBytes;  // bytes between their weights, when decoded
  const PairTable& table = *tile.pairs;
  const size_t pairs = tile.k_padded / 2;  // of a tap: a multiple of kSteps
  const size_t run_pairs = tile.widen_steps / kSteps * kSteps;
  const size_t runs = (tile.taps * pairs + run_pairs - 1) / run_pairs;

  // Sums of bytes are added here whenever they might leave a byte.
  alignas(64) uint16_t buffer[kMr * kNr];
  uint16_t* const words = Opaque(buffer);
  const uint16_t minus_starts = static_cast<uint16_t>(0 - runs * table.start);
  for (int i = 0; i < kMr * kTiles; ++i) Isa::StartWords(words + i * kColumns, minus_starts);

  typename Isa::ByteSums acc[kMr][kTiles];
  const auto restart = [&]() AQ_LAMBDA {
    Unroll<kMr * kTiles>([&](auto i) AQ_LAMBDA { acc[i / kTiles][i % kTiles] = Isa::StartBytes(table.start); });
  };
  const auto widen = [&]() AQ_LAMBDA {
    uint16_t* const to = Opaque(words);  // no word stays in a register between runs
    Unroll<kMr * kTiles>([&](auto i) AQ_LAMBDA { Isa::AddToWords(acc[i / kTiles][i % kTiles], to + i * kColumns); });
  };
  restart();
  const uint8_t* w = tile.weights;
  const uint8_t* row[kMr];
  size_t left = run_pairs;
  for (size_t tap = 0; tap < tile.taps; ++tap, rows += kMr) {
    Unroll<kMr>([&](auto i) AQ_LAMBDA { row[i] = rows[i]; });
    for (size_t k = 0; k < pairs;) {
      const size_t end = pairs - k < left ? pairs : k + left;
      left -= end - k;
      for (; k < end; k += kSteps) {
        Unroll<kSteps>([&](auto s) AQ_LAMBDA {
          constexpr int kStep = decltype(s)::kValue;
          typename Isa::Pairs index[kTiles];
          Unroll<kTiles>([&](auto t) AQ_LAMBDA {
            index[t] =
                Isa::template UnpackPairs<kWeightBits, kStep>(Isa::LoadBytes(w + kStep * kStride + t * Isa::kBytes));
          });
          Unroll<kMr>([&](auto i) AQ_LAMBDA {
            const auto products = Isa::LoadPairRow(table.products + row[i][k + kStep]);
            typename Isa::ByteSums found[kTiles];  // one kind of instruction after the other, for in-order cores
            Unroll<kTiles>([&](auto t) AQ_LAMBDA { found[t] = Isa::LookUpPairs(products, index[t]); });
            Unroll<kTiles>([&](auto t) AQ_LAMBDA { acc[i][t] = Isa::AddBytes(acc[i][t], found[t]); });
          });
        });
        w += kWeightBits == 2 ? kTiles * Isa::kBytes : kSteps * kStride;
      }
      if (left != 0) continue;
      left = run_pairs;
      widen();
      restart();
    }
  }
  if (left != run_pairs) widen();

  for (int t = 0; t < kTiles; ++t) {
    const int column = t * kColumns;
    const auto factors = Isa::LoadPairFactors(
        table.factor, tile.weight_zero_points != nullptr ? tile.weight_zero_points + column : nullptr);
    for (int i = 0; i < kMr; ++i) {
      const int32_t row_sum = tile.weight_zero_points != nullptr ? row_sums[i] : 0;
      Isa::FinishWords(words + i * kNr + column, factors, row_sum, tile.bias + column, sums + i * kNr + column);
    }
  }
}

}  // namespace
}  // namespace aq
