// SPDX-License-Identifier: Apache-2.0
// The one epilogue: rows of int32 in memory -> codes, sixteen columns at a time through an Isa struct. Everything that
// rounds ends here. Reads and writes exactly `columns` of every row it is given (per-channel arrays are padded).
#pragma once

#include <cstring>

#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize.h"

namespace aq {
namespace {

inline constexpr size_t kRowStep = 16;

// The first `count` values at p as a full block: p itself, or a copy when the row ends sooner.
template <class T>
AQ_INLINE const T* FullBlock(const T* p, size_t count, T (&buffer)[kRowStep]) {
  if (count == kRowStep) return p;
  std::memset(buffer, 0, sizeof(buffer));
  std::memcpy(buffer, p, count * sizeof(T));
  return buffer;
}

// f(n, count) for blocks of up to sixteen columns.
template <class F>
AQ_INLINE void ForEachBlock(size_t columns, F&& f) {
  size_t n = 0;
  for (; n + kRowStep <= columns; n += kRowStep) f(n, kRowStep);
  if (n < columns) f(n, columns - n);
}

template <class Isa>
AQ_INLINE void WriteCodes(typename Isa::Codes codes, uint8_t* out, size_t count) {
  if (count == kRowStep) return Isa::StoreCodes(out, codes);
  uint8_t buffer[kRowStep];
  Isa::StoreCodes(buffer, codes);
  std::memcpy(out, buffer, count);
}

// Accumulators in memory, rows of `columns` output channels from `column`, and where their codes go.
struct RequantizeArguments {
  const int32_t* acc = nullptr;  // bias and zero points folded in
  size_t acc_stride = 0, rows = 1, column = 0, columns = 0;
  const uint8_t* residual = nullptr;  // codes, or null
  void* out = nullptr;                // uint8 codes, or int32 when rq.is_wide
  size_t stride = 0;                  // elements between rows of residual and out
};

// value(row, n, count) -> Q.8 values of columns n ... n + 15 of a row; rounds and stores them. Columns outside, so that
// what belongs to a channel is read once per tile.
template <class Isa, class Value>
AQ_INLINE void RoundRows(size_t rows, size_t columns, size_t column, const Requantize& rq, void* out, size_t stride,
                         Value&& value) {
  uint8_t* codes = static_cast<uint8_t*>(out);
  if (rq.is_wide) {
    ForEachBlock(columns, [&](size_t n, size_t count) AQ_LAMBDA {
      for (size_t i = 0; i < rows; ++i) {
        int32_t buffer[kRowStep];
        Isa::Store(buffer, value(i, n, count));
        std::memcpy(static_cast<int32_t*>(out) + i * stride + n, buffer, count * sizeof(int32_t));
      }
    });
  } else if (rq.v_thresholds != nullptr) {
    const int32_t* t = rq.v_thresholds + column;
    ForEachBlock(columns, [&](size_t n, size_t count) AQ_LAMBDA {
      for (size_t i = 0; i < rows; ++i) {
        const auto v = Isa::ClampTo(value(i, n, count), rq.max_level << kFractionBits);
        WriteCodes<Isa>(
            Isa::CountAbove(v, Isa::Load(t + n), Isa::Load(t + rq.n_padded + n), Isa::Load(t + 2 * rq.n_padded + n)),
            codes + i * stride + n, count);
      }
    });
  } else {
    const auto rounding = Isa::LoadRounding(rq);
    ForEachBlock(columns, [&](size_t n, size_t count) AQ_LAMBDA {
      size_t i = 0;
      if constexpr (requires(typename Isa::I32x16 v) { Isa::RoundPair(v, v, rounding); }) {
        for (; i + 2 <= rows; i += 2) {
          const auto pair = Isa::RoundPair(value(i, n, count), value(i + 1, n, count), rounding);
          WriteCodes<Isa>(pair.first, codes + i * stride + n, count);
          WriteCodes<Isa>(pair.second, codes + (i + 1) * stride + n, count);
        }
      }
      for (; i < rows; ++i) {
        WriteCodes<Isa>(Isa::Round(value(i, n, count), rounding), codes + i * stride + n, count);
      }
    });
  }
}

// One row.
template <class Isa, class Value>
AQ_INLINE void RoundRow(size_t column, size_t columns, const Requantize& rq, void* out, Value&& value) {
  RoundRows<Isa>(1, columns, column, rq, out, 0,
                 [&](size_t, size_t n, size_t count) AQ_LAMBDA { return value(n, count); });
}

// Accumulators -> Q.8 (or Q.12, by the arrays of rq) without a residual.
template <class Isa>
AQ_INLINE typename Isa::I32x16 ScaleBlock(typename Isa::I32x16 acc, const Requantize& rq, size_t n) {
  const auto shifted = Isa::ShiftLeft(acc, Isa::Load(rq.left_shift + n));
  const auto product = Isa::MultiplyHigh(shifted, Isa::Load(rq.multiplier + n));
  return Isa::Add(Isa::ShiftRight(product, Isa::Load(rq.right_shift + n)), Isa::Load(rq.offset + n));
}

// Rounds rows of accumulators to codes.
// Not inlined: it would take registers from the matrix-multiply loop, and one copy per object is enough.
template <class Isa>
__attribute__((noinline)) void RequantizeRows(const RequantizeArguments& a, const Requantize& rq) {
  int32_t acc_tail[kRowStep];
  uint8_t residual_tail[kRowStep];
  const auto load = [&](size_t i, size_t n, size_t count)
                        AQ_LAMBDA { return Isa::Load(FullBlock(a.acc + i * a.acc_stride + n, count, acc_tail)); };
  if (a.residual != nullptr) {
    RoundRows<Isa>(a.rows, a.columns, a.column, rq, a.out, a.stride, [&](size_t i, size_t n, size_t count) AQ_LAMBDA {
      const auto scaled = ScaleBlock<Isa>(load(i, n, count), rq, a.column + n);
      const auto codes = Isa::Widen(Isa::LoadCodes(FullBlock(a.residual + i * a.stride + n, count, residual_tail)));
      const auto sum = Isa::Add(scaled, Isa::Multiply(codes, Isa::Load(rq.residual_ratio + a.column + n)));
      return Isa::template ShiftRight<kSumExtraBits>(sum);
    });
  } else if (rq.acc_thresholds != nullptr) {
    const int32_t* t = rq.acc_thresholds + a.column;
    ForEachBlock(a.columns, [&](size_t n, size_t count) AQ_LAMBDA {
      for (size_t i = 0; i < a.rows; ++i) {
        WriteCodes<Isa>(Isa::CountAbove(load(i, n, count), Isa::Load(t + n), Isa::Load(t + rq.n_padded + n),
                                        Isa::Load(t + 2 * rq.n_padded + n)),
                        static_cast<uint8_t*>(a.out) + i * a.stride + n, count);
      }
    });
  } else {
    RoundRows<Isa>(a.rows, a.columns, a.column, rq, a.out, a.stride, [&](size_t i, size_t n, size_t count) AQ_LAMBDA {
      return ScaleBlock<Isa>(load(i, n, count), rq, a.column + n);
    });
  }
}

}  // namespace
}  // namespace aq
