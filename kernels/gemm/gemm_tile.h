// SPDX-License-Identifier: Apache-2.0
// The one matrix-multiply inner loop. `Isa` supplies register types and a handful of operations (isa/scalar.h explains
// them). Register arrays are indexed by compile-time constants only: one run-time index would put them in memory.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/lookup_tile.h"
#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize_row.h"

namespace aq {
namespace {

// ISAs whose accumulators are int16 sums that must be widened every GemmTile::widen_steps steps.
template <class Isa>
inline constexpr bool kSumsInInt16 = requires(typename Isa::Acc acc, int32_t* out) {
  Isa::AddWidened(acc, out, out);
};

// Vectors of columns a pass keeps in registers: as many as the ISA says, or all of the tile.
template <class Isa, int kMr, int kTiles>
constexpr int PassTiles() {
  if constexpr (requires { Isa::TilesAtOnce(kMr); }) {
    return Isa::TilesAtOnce(kMr) < kTiles ? Isa::TilesAtOnce(kMr) : kTiles;
  } else {
    return kTiles;
  }
}

// Steps between two tests of the loop's end: where instructions per cycle are the limit, each test costs.
template <class Isa>
constexpr int StepsAtOnce() {
  if constexpr (requires { Isa::kStepsAtOnce; }) {
    return Isa::kStepsAtOnce;
  } else {
    return 1;
  }
}

// kTiles vectors of columns from the first one of `weights` and `bias` -> sums [kMr][kNr].
template <class Isa, int kWeightBits, int kMr, int kTiles, int kNr>
AQ_INLINE void MultiplyPass(const GemmTile& tile, const uint8_t* const* rows, const uint8_t* weights,
                            const int32_t* bias, int32_t* sums) {
  constexpr int kPlanes = kWeightBits < 8 ? 8 / kWeightBits : 1;  // steps sharing one packed byte
  constexpr int kGroups = kMr / Isa::kAccRows;
  constexpr int kStepBytes = kNr / Isa::kAccCols * Isa::kBytes;
  typename Isa::Acc acc[kGroups][kTiles];
  if constexpr (kSumsInInt16<Isa>) {
    Unroll<kGroups * kTiles>([&](auto i) AQ_LAMBDA { acc[i / kTiles][i % kTiles] = Isa::ZeroAcc(); });
  } else {
    Unroll<kTiles>([&](auto t) AQ_LAMBDA {
      const auto first = Isa::LoadBias(bias + t * Isa::kAccCols);
      Unroll<kGroups>([&](auto i) AQ_LAMBDA { acc[i][t] = first; });
    });
  }

  const auto codebook = Isa::LoadCodebook(tile.codebook);
  const uint8_t* w = weights;
  const uint8_t* row[kMr];
  // Packed bytes number `u` from w, for the activations at k and kPlanes * kKr each further on.
  const auto block = [&](size_t k, auto u) AQ_LAMBDA {
    constexpr int kBlock = decltype(u)::kValue;
    typename Isa::Bytes packed[kTiles];
    Unroll<kTiles>([&](auto t) AQ_LAMBDA { packed[t] = Isa::LoadBytes(w + kBlock * kStepBytes + t * Isa::kBytes); });
    Unroll<kPlanes>([&](auto p) AQ_LAMBDA {
      constexpr int kPlane = decltype(p)::kValue;
      typename Isa::Weights values[kTiles];
      Unroll<kTiles>([&](auto t)
                         AQ_LAMBDA { values[t] = Isa::template Unpack<kWeightBits, kPlane>(packed[t], codebook); });
      Unroll<kGroups>([&](auto i) AQ_LAMBDA {
        const auto act = Isa::LoadActivations(row + i * Isa::kAccRows, k + (kBlock * kPlanes + kPlane) * Isa::kKr);
        Unroll<kTiles>([&](auto t) AQ_LAMBDA { acc[i][t] = Isa::Dot(acc[i][t], act, values[t]); });
      });
    });
  };
  const auto multiply = [&](size_t k, size_t end) AQ_LAMBDA {
    constexpr int kBlocks = StepsAtOnce<Isa>() < kPlanes ? 1 : StepsAtOnce<Isa>() / kPlanes;
    constexpr size_t kStep = Isa::kKr * kPlanes;
    if constexpr (kBlocks > 1) {
      for (; k + kBlocks * kStep <= end; k += kBlocks * kStep, w += kBlocks * kStepBytes) {
        Unroll<kBlocks>([&](auto u) AQ_LAMBDA { block(k, u); });
      }
    }
    for (; k < end; k += kStep, w += kStepBytes) block(k, Index<0>());
  };

  [[maybe_unused]] const size_t widen_k = tile.widen_steps / kPlanes * kPlanes * Isa::kKr;  // 0 only if unused
  [[maybe_unused]] size_t left = widen_k;
  // Stores the sums: of int16 onto the bias the first time, onto themselves from then on. Opaque: else gcc would keep
  // all of them in a second buffer.
  [[maybe_unused]] bool is_stored = false;
  const auto store = [&]() AQ_LAMBDA {
    int32_t* const out = Opaque(sums);
    const auto store_onto = [&](const int32_t* from, auto stride) AQ_LAMBDA {
      Unroll<kGroups * kTiles>([&](auto at) AQ_LAMBDA {
        constexpr int kI = decltype(at)::kValue / kTiles, kT = decltype(at)::kValue % kTiles;
        constexpr int kRow = kI * Isa::kAccRows, kColumn = kT * Isa::kAccCols;
        if constexpr (kSumsInInt16<Isa>) {
          Isa::AddWidened(acc[kI][kT], from + kRow * stride + kColumn, out + kRow * kNr + kColumn);
        } else {
          Isa::StoreAcc(acc[kI][kT], out + kRow * kNr + kColumn, kNr);
        }
      });
    };
    if (kSumsInInt16<Isa> && is_stored) {
      store_onto(out, Index<kNr>());
    } else {
      store_onto(bias, Index<0>());
    }
  };
  for (size_t tap = 0; tap < tile.taps; ++tap, rows += kMr) {
    Unroll<kMr>([&](auto i) AQ_LAMBDA { row[i] = rows[i]; });
    if constexpr (kSumsInInt16<Isa>) {
      for (size_t k = 0; k < tile.k_padded;) {
        if (left == 0) {
          store();
          is_stored = true;
          Unroll<kGroups * kTiles>([&](auto i) AQ_LAMBDA { acc[i / kTiles][i % kTiles] = Isa::ZeroAcc(); });
          left = widen_k;
        }
        const size_t end = tile.k_padded - k < left ? tile.k_padded : k + left;
        multiply(k, end);
        left -= end - k;
        k = end;
      }
    } else {
      multiply(0, tile.k_padded);
    }
  }

  store();
}

// All columns in passes -> sums [groups * kMr][kNr].
template <class Isa, int kWeightBits, int kMr, int kTiles>
AQ_INLINE void MultiplyTile(const GemmTile& tile, int32_t* sums) {
  constexpr int kNr = kTiles * Isa::kAccCols, kPass = PassTiles<Isa, kMr, kTiles>();
  static_assert(kTiles % kPass == 0);
  const uint8_t* const* rows = tile.rows;
  for (size_t group = 0; group < tile.groups; ++group, rows += tile.group_stride, sums += kMr * kNr) {
    for (int t = 0; t < kTiles; t += kPass) {
      const int column = t * Isa::kAccCols;
      if (column != 0 && static_cast<size_t>(column) >= tile.columns) break;
      MultiplyPass<Isa, kWeightBits, kMr, kPass, kNr>(tile, rows, tile.weights + t * Isa::kBytes, tile.bias + column,
                                                      sums + column);
    }
  }
}

// The zero points of weights that no decoder subtracted.
template <int kMr, int kNr>
AQ_INLINE void SubtractZeroPoints(const GemmTile& tile, int32_t* sums) {
  if (tile.weight_zero_points != nullptr) {
    for (int i = 0; i < tile.m; ++i) {
      const uint32_t row_sum = static_cast<uint32_t>(tile.row_sums[i]);  // unsigned: only the total is proven to fit
      for (int j = 0; j < kNr; ++j) {
        const uint32_t part = row_sum * static_cast<uint32_t>(tile.weight_zero_points[j]);
        sums[i * kNr + j] = static_cast<int32_t>(static_cast<uint32_t>(sums[i * kNr + j]) - part);
      }
    }
  }
}

template <class Isa, int kWeightBits, int kMr, int kTiles>
AQ_INLINE void RunGemmTile(const GemmTile& tile) {
  constexpr int kNr = kTiles * Isa::kAccCols;
  // Accumulators end up in this L1-resident buffer, so the epilogue never sees register shapes; int16 sums are widened
  // into it on the way. Or in the caller's memory (kernels/winograd), and that is all.
  constexpr size_t kRead = kNr % kRowStep == 0 ? 0 : kRowStep;  // it reads blocks of sixteen columns
  alignas(64) int32_t buffer[kMaxTileGroups * kMr * kNr + kRead];
  int32_t* const sums = Opaque(tile.sums != nullptr ? tile.sums : buffer);
  if constexpr (kLooksUp<Isa>) {
    for (size_t group = 0; group < tile.groups; ++group) {
      LookUpTile<Isa, kWeightBits, kMr, kTiles>(tile, tile.rows + group * tile.group_stride,
                                                tile.row_sums + group * kMr, sums + group * kMr * kNr);
    }
  } else {
    MultiplyTile<Isa, kWeightBits, kMr, kTiles>(tile, sums);
    if (tile.sums != nullptr) return;
    SubtractZeroPoints<kMr, kNr>(tile, sums);
  }
  for (int o = 0; o < tile.outputs; ++o) {
    RequantizeRows<Isa>({.acc = sums,
                         .acc_stride = kNr,
                         .rows = static_cast<size_t>(tile.m),
                         .column = tile.column,
                         .columns = tile.columns,
                         .residual = tile.residual,
                         .out = tile.out[o],
                         .stride = tile.stride},
                        tile.requantize[o]);
  }
}

}  // namespace
}  // namespace aq

// Stamps one table row (kernels.inc) as a function. The row's numbers are checked against the Isa struct.
#define AQ_GEMM_TILE(isa, Enum, Struct, bits, label, max_pair, mr, nr, kr, flip) \
  void gemm_##isa##_##label##_##mr##x##nr(const GemmTile& tile) {                \
    static_assert(nr % Struct::kAccCols == 0 && mr % Struct::kAccRows == 0);     \
    static_assert(kr == Struct::kKr && flip == Struct::kActivationFlip);         \
    static_assert(!kSumsInInt16<Struct> || max_pair < INT32_MAX, "see gemm.h");  \
    static_assert(kLooksUp<Struct> == (max_pair == kLookupLimit));               \
    RunGemmTile<Struct, bits, mr, nr / Struct::kAccCols>(tile);                  \
  }
