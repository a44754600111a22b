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

// A block's number of columns: Index<kRowStep> when full, so that nothing is tested or copied then, else size_t.
using FullCount = Index<static_cast<int>(kRowStep)>;

// The first `count` values at p as a full block: p itself, or a copy when the row ends sooner.
template <class T>
AQ_INLINE const T* FullBlock(const T* p, FullCount, T (&)[kRowStep]) {
  return p;
}
template <class T>
AQ_INLINE const T* FullBlock(const T* p, size_t count, T (&buffer)[kRowStep]) {
  std::memset(buffer, 0, sizeof(buffer));
  std::memcpy(buffer, p, count * sizeof(T));
  return buffer;
}

// f(n, count) for blocks of up to sixteen columns.
template <class F>
AQ_INLINE void ForEachBlock(size_t columns, F&& f) {
  size_t n = 0;
  for (; n + kRowStep <= columns; n += kRowStep) f(n, FullCount());
  if (n < columns) f(n, columns - n);
}

template <class Isa>
AQ_INLINE void WriteCodes(typename Isa::Codes codes, uint8_t* out, FullCount) {
  Isa::StoreCodes(out, codes);
}
template <class Isa>
AQ_INLINE void WriteCodes(typename Isa::Codes codes, uint8_t* out, size_t count) {
  uint8_t buffer[kRowStep];
  Isa::StoreCodes(buffer, codes);
  const uint8_t* from = buffer;
  Unroll<4>([&](auto i) AQ_LAMBDA {  // 8, 4, 2, 1: sizes known here need no call
    constexpr size_t kSize = kRowStep / 2 >> decltype(i)::kValue;
    if ((count & kSize) == 0) return;
    std::memcpy(out, from, kSize);
    out += kSize;
    from += kSize;
  });
}

// Accumulators in memory, rows of `columns` output channels from `column`, and where their codes go.
struct RequantizeArguments {
  // Bias and zero points folded in. With a stride, rows may be read up to a multiple of sixteen columns.
  const int32_t* acc = nullptr;
  size_t acc_stride = 0, rows = 1, column = 0, columns = 0;
  const uint8_t* residual = nullptr;  // codes, or null
  void* out = nullptr;                // uint8 codes, or int32 when rq.is_wide
  size_t stride = 0;                  // elements between rows of residual and out
};

// The three thresholds of sixteen channels.
template <class Isa>
struct Thresholds {
  typename Isa::I32x16 t0, t1, t2;

  static AQ_INLINE Thresholds Load(const int32_t* t, size_t n_padded) {
    return {Isa::Load(t), Isa::Load(t + n_padded), Isa::Load(t + 2 * n_padded)};
  }
  AQ_INLINE typename Isa::Codes CountBelow(typename Isa::I32x16 v) const { return Isa::CountAbove(v, t0, t1, t2); }
};

// Rounds and stores the Q.8 values value(channels(n), i, n, count) of row i, columns n ... n + 15. Columns are the
// outer loop and what belongs to channels is kept in a variable, since a store of codes might change any memory. (Never
// copied: gcc copies large structs through memory.)
template <class Isa, class Channels, class Value>
AQ_INLINE void RoundRows(size_t rows, size_t columns, size_t column, const Requantize& rq, void* out, size_t stride,
                         Channels&& channels, Value&& value) {
  uint8_t* codes = static_cast<uint8_t*>(out);
  if (rq.is_wide) {
    ForEachBlock(columns, [&](size_t n, auto count) AQ_LAMBDA {
      const auto of_channels = channels(n);
      for (size_t i = 0; i < rows; ++i) {
        int32_t buffer[kRowStep];
        Isa::Store(buffer, value(of_channels, i, n, count));
        std::memcpy(static_cast<int32_t*>(out) + i * stride + n, buffer, size_t{count} * sizeof(int32_t));
      }
    });
  } else if (rq.v_thresholds != nullptr) {
    const int32_t top = rq.max_level << kFractionBits;
    ForEachBlock(columns, [&](size_t n, auto count) AQ_LAMBDA {
      const auto of_channels = channels(n);
      const auto thresholds = Thresholds<Isa>::Load(rq.v_thresholds + column + n, rq.n_padded);
      for (size_t i = 0; i < rows; ++i) {
        WriteCodes<Isa>(thresholds.CountBelow(Isa::ClampTo(value(of_channels, i, n, count), top)),
                        codes + i * stride + n, count);
      }
    });
  } else {
    const auto rounding = Isa::LoadRounding(rq);
    ForEachBlock(columns, [&](size_t n, auto count) AQ_LAMBDA {
      const auto of_channels = channels(n);
      uint8_t* to = codes + n;
      size_t i = 0;
      if constexpr (requires(typename Isa::I32x16 v) { Isa::RoundPair(v, v, rounding); }) {
        for (; i + 2 <= rows; i += 2, to += 2 * stride) {
          const auto pair =
              Isa::RoundPair(value(of_channels, i, n, count), value(of_channels, i + 1, n, count), rounding);
          WriteCodes<Isa>(pair.first, to, count);
          WriteCodes<Isa>(pair.second, to + stride, count);
        }
      }
      for (; i < rows; ++i, to += stride)
        WriteCodes<Isa>(Isa::Round(value(of_channels, i, n, count), rounding), to, count);
    });
  }
}

// One row; value(n, count) -> Q.8 values.
template <class Isa, class Value>
AQ_INLINE void RoundRow(size_t column, size_t columns, const Requantize& rq, void* out, Value&& value) {
  RoundRows<Isa>(
      1, columns, column, rq, out, 0, [](size_t) AQ_LAMBDA { return 0; },
      [&](int, size_t, size_t n, auto count) AQ_LAMBDA { return value(n, count); });
}

// Accumulators -> Q.8 (or Q.12, by the arrays of rq) without a residual, for sixteen channels.
template <class Isa>
struct Scaler {
  typename Isa::I32x16 left_shift, multiplier, right_shift, offset;

  static AQ_INLINE Scaler Load(const Requantize& rq, size_t n) {
    return {Isa::Load(rq.left_shift + n), Isa::Load(rq.multiplier + n), Isa::Load(rq.right_shift + n),
            Isa::Load(rq.offset + n)};
  }
  AQ_INLINE typename Isa::I32x16 Scale(typename Isa::I32x16 acc) const {
    const auto product = Isa::MultiplyHigh(Isa::ShiftLeft(acc, left_shift), multiplier);
    return Isa::Add(Isa::ShiftRight(product, right_shift), offset);
  }
};

// Accumulators -> codes that still need their clamp, where all levels have one border.
template <class Isa>
struct Coder {
  typename Isa::I32x16 multiplier, offset, shift;

  static AQ_INLINE Coder Load(const Requantize& rq, size_t n) {
    return {Isa::Load(rq.multiplier + n), Isa::Load(rq.code_offset + n), Isa::Load(rq.code_shift + n)};
  }
  AQ_INLINE typename Isa::I32x16 Code(typename Isa::I32x16 acc) const {
    return Isa::ShiftRight(Isa::Add(Isa::MultiplyHigh(acc, multiplier), offset), shift);
  }
};

// Rounds rows of accumulators to codes.
// Not inlined: it would take registers from the matrix-multiply loop, and one copy per object is enough.
template <class Isa>
__attribute__((noinline)) void RequantizeRows(const RequantizeArguments& arguments, const Requantize& rq) {
  const RequantizeArguments a = arguments;
  int32_t acc_tail[kRowStep];
  uint8_t residual_tail[kRowStep];
  const auto load = [&](size_t i, size_t n, auto count) AQ_LAMBDA {
    const int32_t* acc = a.acc + i * a.acc_stride + n;
    return Isa::Load(a.acc_stride != 0 ? acc : FullBlock(acc, count, acc_tail));
  };
  const auto scaler = [&](size_t n) AQ_LAMBDA { return Scaler<Isa>::Load(rq, a.column + n); };
  if (a.residual != nullptr) {
    RoundRows<Isa>(a.rows, a.columns, a.column, rq, a.out, a.stride, scaler,
                   [&](const Scaler<Isa>& of_channels, size_t i, size_t n, auto count) AQ_LAMBDA {
                     const auto ratio = Isa::Load(rq.residual_ratio + a.column + n);
                     const auto residual = FullBlock(a.residual + i * a.stride + n, count, residual_tail);
                     const auto codes = Isa::Widen(Isa::LoadCodes(residual));
                     const auto sum = Isa::Add(of_channels.Scale(load(i, n, count)), Isa::Multiply(codes, ratio));
                     return Isa::template ShiftRight<kSumExtraBits>(sum);
                   });
  } else if (rq.acc_thresholds != nullptr) {
    ForEachBlock(a.columns, [&](size_t n, auto count) AQ_LAMBDA {
      const auto thresholds = Thresholds<Isa>::Load(rq.acc_thresholds + a.column + n, rq.n_padded);
      for (size_t i = 0; i < a.rows; ++i) {
        const auto acc = load(i, n, count);
        WriteCodes<Isa>(thresholds.CountBelow(acc), static_cast<uint8_t*>(a.out) + i * a.stride + n, count);
      }
    });
  } else if (rq.code_offset != nullptr) {
    ForEachBlock(a.columns, [&](size_t n, auto count) AQ_LAMBDA {
      const auto coder = Coder<Isa>::Load(rq, a.column + n);
      uint8_t* to = static_cast<uint8_t*>(a.out) + n;
      size_t i = 0;
      if constexpr (requires(typename Isa::I32x16 v) { Isa::ClampPair(v, v); }) {
        for (; i + 2 <= a.rows; i += 2, to += 2 * a.stride) {
          const auto pair = Isa::ClampPair(coder.Code(load(i, n, count)), coder.Code(load(i + 1, n, count)));
          WriteCodes<Isa>(pair.first, to, count);
          WriteCodes<Isa>(pair.second, to + a.stride, count);
        }
      }
      for (; i < a.rows; ++i, to += a.stride)
        WriteCodes<Isa>(Isa::ClampCodes(coder.Code(load(i, n, count))), to, count);
    });
  } else {
    RoundRows<Isa>(a.rows, a.columns, a.column, rq, a.out, a.stride, scaler,
                   [&](const Scaler<Isa>& of_channels, size_t i, size_t n, auto count)
                       AQ_LAMBDA { return of_channels.Scale(load(i, n, count)); });
  }
}

}  // namespace
}  // namespace aq
