// SPDX-License-Identifier: Apache-2.0
// The one matrix-multiply inner loop. `Isa` supplies register types and a handful of operations (isa/scalar.h explains
// them). Register arrays are indexed by compile-time constants only: one run-time index would put them in memory.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize_row.h"

namespace aq {
namespace {

template <class Isa, int kWeightBits, int kMr, int kTiles>
AQ_INLINE void RunGemmTile(const GemmTile& tile) {
  constexpr int kPlanes = 8 / kWeightBits;  // k slices sharing one packed byte
  constexpr int kGroups = kMr / Isa::kAccRows;
  constexpr int kNr = kTiles * Isa::kAccCols;

  typename Isa::Acc acc[kGroups][kTiles];
  Unroll<kTiles>([&](auto t) AQ_LAMBDA {
    const auto bias = Isa::LoadBias(tile.bias + t * Isa::kAccCols);
    Unroll<kGroups>([&](auto i) AQ_LAMBDA { acc[i][t] = bias; });
  });

  const auto codebook = Isa::LoadCodebook(tile.codebook);
  const uint8_t* w = tile.weights;
  const uint8_t* const* rows = tile.rows;
  for (size_t tap = 0; tap < tile.taps; ++tap, rows += kMr) {
    const uint8_t* row[kMr];
    Unroll<kMr>([&](auto i) AQ_LAMBDA { row[i] = rows[i]; });
    for (size_t k = 0; k < tile.k_padded; k += Isa::kKr * kPlanes) {
      typename Isa::Bytes packed[kTiles];
      Unroll<kTiles>([&](auto t) AQ_LAMBDA { packed[t] = Isa::LoadBytes(w + t * Isa::kBytes); });
      w += kTiles * Isa::kBytes;
      Unroll<kPlanes>([&](auto p) AQ_LAMBDA {
        constexpr int kPlane = decltype(p)::kValue;
        typename Isa::Weights weights[kTiles];
        Unroll<kTiles>([&](auto t)
                           AQ_LAMBDA { weights[t] = Isa::template Unpack<kWeightBits, kPlane>(packed[t], codebook); });
        Unroll<kGroups>([&](auto i) AQ_LAMBDA {
          const auto act = Isa::LoadActivations(row + i * Isa::kAccRows, k + kPlane * Isa::kKr);
          Unroll<kTiles>([&](auto t) AQ_LAMBDA { acc[i][t] = Isa::Dot(acc[i][t], act, weights[t]); });
        });
      });
    }
  }

  // Accumulators pass through an L1-resident buffer, so the epilogue never sees register shapes.
  alignas(64) int32_t sums[kMr][kNr];
  Unroll<kGroups>([&](auto i) AQ_LAMBDA {
    Unroll<kTiles>([&](auto t)
                       AQ_LAMBDA { Isa::StoreAcc(acc[i][t], &sums[i * Isa::kAccRows][t * Isa::kAccCols], kNr); });
  });
  for (int i = 0; i < tile.m; ++i) {
    if (tile.weight_zero_points != nullptr) {
      const uint32_t row_sum = static_cast<uint32_t>(tile.row_sums[i]);  // unsigned: only the total is proven to fit
      for (int j = 0; j < kNr; ++j) {
        const uint32_t part = row_sum * static_cast<uint32_t>(tile.weight_zero_points[j]);
        sums[i][j] = static_cast<int32_t>(static_cast<uint32_t>(sums[i][j]) - part);
      }
    }
    for (int o = 0; o < tile.outputs; ++o) {
      RequantizeRow<Isa>(sums[i], tile.column, tile.columns, tile.requantize[o],
                         tile.residual != nullptr ? tile.residual[i] : nullptr, tile.out[o * kMr + i]);
    }
  }
}

}  // namespace
}  // namespace aq

// Stamps one table row (kernels.inc) as a function. The row's numbers are checked against the Isa struct.
#define AQ_GEMM_TILE(isa, Enum, Struct, bits, label, max_pair, mr, nr, kr, flip) \
  void gemm_##isa##_##label##_##mr##x##nr(const GemmTile& tile) {                \
    static_assert(nr % Struct::kAccCols == 0 && mr % Struct::kAccRows == 0);     \
    static_assert(kr == Struct::kKr && flip == Struct::kActivationFlip);         \
    RunGemmTile<Struct, bits, mr, nr / Struct::kAccCols>(tile);                  \
  }
