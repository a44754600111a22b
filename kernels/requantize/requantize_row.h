// SPDX-License-Identifier: Apache-2.0
// The one epilogue: a row of int32 in memory -> codes, sixteen columns at a time through an Isa struct. Everything that
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

// value(n, count) -> Q.8 values of columns n ... n + 15 of this row; rounds and stores them.
template <class Isa, class Value>
AQ_INLINE void RoundRow(size_t column, size_t columns, const Requantize& rq, void* out, Value&& value) {
  uint8_t* codes = static_cast<uint8_t*>(out);
  if (rq.is_wide) {
    ForEachBlock(columns, [&](size_t n, size_t count) AQ_LAMBDA {
      int32_t buffer[kRowStep];
      Isa::Store(buffer, value(n, count));
      std::memcpy(static_cast<int32_t*>(out) + n, buffer, count * sizeof(int32_t));
    });
  } else if (rq.v_thresholds != nullptr) {
    const int32_t* t = rq.v_thresholds + column;
    ForEachBlock(columns, [&](size_t n, size_t count) AQ_LAMBDA {
      const auto v = Isa::ClampTo(value(n, count), rq.max_level << kFractionBits);
      WriteCodes<Isa>(
          Isa::CountAbove(v, Isa::Load(t + n), Isa::Load(t + rq.n_padded + n), Isa::Load(t + 2 * rq.n_padded + n)),
          codes + n, count);
    });
  } else {
    const auto rounding = Isa::LoadRounding(rq);
    ForEachBlock(columns, [&](size_t n, size_t count)
                              AQ_LAMBDA { WriteCodes<Isa>(Isa::Round(value(n, count), rounding), codes + n, count); });
  }
}

// Accumulators -> Q.8 (or Q.12, by the arrays of rq) without a residual.
template <class Isa>
AQ_INLINE typename Isa::I32x16 ScaleBlock(typename Isa::I32x16 acc, const Requantize& rq, size_t n) {
  const auto shifted = Isa::ShiftLeft(acc, Isa::Load(rq.left_shift + n));
  const auto product = Isa::MultiplyHigh(shifted, Isa::Load(rq.multiplier + n));
  return Isa::Add(Isa::ShiftRight(product, Isa::Load(rq.right_shift + n)), Isa::Load(rq.offset + n));
}

// Rounds one row of accumulators (bias and zero points folded in) to codes of output channels column ... .
//   acc [columns], residual null or [columns] codes, out [columns] uint8, or int32 when rq.is_wide
// Not inlined: it would take registers from the matrix-multiply loop, and one copy per object is enough.
template <class Isa>
__attribute__((noinline)) void RequantizeRow(const int32_t* acc, size_t column, size_t columns, const Requantize& rq,
                                             const uint8_t* residual, void* out) {
  int32_t acc_tail[kRowStep];
  uint8_t residual_tail[kRowStep];
  if (residual != nullptr) {
    RoundRow<Isa>(column, columns, rq, out, [&](size_t n, size_t count) AQ_LAMBDA {
      const auto scaled = ScaleBlock<Isa>(Isa::Load(FullBlock(acc + n, count, acc_tail)), rq, column + n);
      const auto codes = Isa::Widen(Isa::LoadCodes(FullBlock(residual + n, count, residual_tail)));
      const auto sum = Isa::Add(scaled, Isa::Multiply(codes, Isa::Load(rq.residual_ratio + column + n)));
      return Isa::template ShiftRight<kSumExtraBits>(sum);
    });
  } else if (rq.acc_thresholds != nullptr) {
    const int32_t* t = rq.acc_thresholds + column;
    ForEachBlock(columns, [&](size_t n, size_t count) AQ_LAMBDA {
      WriteCodes<Isa>(Isa::CountAbove(Isa::Load(FullBlock(acc + n, count, acc_tail)), Isa::Load(t + n),
                                      Isa::Load(t + rq.n_padded + n), Isa::Load(t + 2 * rq.n_padded + n)),
                      static_cast<uint8_t*>(out) + n, count);
    });
  } else {
    RoundRow<Isa>(column, columns, rq, out, [&](size_t n, size_t count) AQ_LAMBDA {
      return ScaleBlock<Isa>(Isa::Load(FullBlock(acc + n, count, acc_tail)), rq, column + n);
    });
  }
}

}  // namespace
}  // namespace aq
