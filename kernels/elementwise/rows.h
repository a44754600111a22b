// SPDX-License-Identifier: Apache-2.0
// The row functions of elementwise.h, written once over an Isa struct. Each reads and writes exactly its columns.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/requantize/requantize_row.h"

namespace aq {
namespace {

template <class Isa>
AQ_INLINE void AddRow(const uint8_t* a, const uint8_t* b, size_t column, size_t columns, const Requantize& rq,
                      uint8_t* out) {
  uint8_t a_tail[kRowStep], b_tail[kRowStep];
  const auto first = [&](size_t n, size_t count) AQ_LAMBDA {
    const auto codes = Isa::Widen(Isa::LoadCodes(FullBlock(a + n, count, a_tail)));
    return Isa::Add(Isa::Multiply(codes, Isa::Load(rq.ratio + column + n)), Isa::Load(rq.offset + column + n));
  };
  if (b == nullptr) {
    RoundRow<Isa>(column, columns, rq, out, [&](size_t n, size_t count) AQ_LAMBDA {
      return Isa::template ShiftRight<kSumExtraBits>(first(n, count));
    });
  } else {
    RoundRow<Isa>(column, columns, rq, out, [&](size_t n, size_t count) AQ_LAMBDA {
      const auto codes = Isa::Widen(Isa::LoadCodes(FullBlock(b + n, count, b_tail)));
      const auto second = Isa::Multiply(codes, Isa::Load(rq.residual_ratio + column + n));
      return Isa::template ShiftRight<kSumExtraBits>(Isa::Add(first(n, count), second));
    });
  }
}

template <class Isa>
AQ_INLINE void MultiplyRow(const uint8_t* a, const uint8_t* b, int32_t zero_a, int32_t zero_b, size_t column,
                           size_t columns, const Requantize& rq, uint8_t* out) {
  uint8_t a_tail[kRowStep], b_tail[kRowStep];
  const auto minus_a = Isa::Set(-zero_a), minus_b = Isa::Set(-zero_b);
  RoundRow<Isa>(column, columns, rq, out, [&](size_t n, size_t count) AQ_LAMBDA {
    const auto x = Isa::Add(Isa::Widen(Isa::LoadCodes(FullBlock(a + n, count, a_tail))), minus_a);
    const auto y = Isa::Add(Isa::Widen(Isa::LoadCodes(FullBlock(b + n, count, b_tail))), minus_b);
    return ScaleBlock<Isa>(Isa::Multiply(x, y), rq, column + n);
  });
}

template <class Isa>
AQ_INLINE void LookupRow(const uint8_t* in, size_t count, const uint8_t* table, uint8_t* out) {
  size_t i = 0;
  for (; i + Isa::kLookupStep <= count; i += Isa::kLookupStep) Isa::Lookup(in + i, table, out + i);
  for (; i < count; ++i) out[i] = table[in[i]];
}

template <class Isa>
AQ_INLINE void MaximumRow(const uint8_t* const* rows, size_t count, size_t columns, uint8_t* out) {
  size_t n = 0;
  for (; n + kRowStep <= columns; n += kRowStep) {
    auto maximum = Isa::LoadCodes(rows[0] + n);
    for (size_t i = 1; i < count; ++i) maximum = Isa::Maximum(maximum, Isa::LoadCodes(rows[i] + n));
    Isa::StoreCodes(out + n, maximum);
  }
  for (; n < columns; ++n) {
    uint8_t maximum = rows[0][n];
    for (size_t i = 1; i < count; ++i) maximum = rows[i][n] > maximum ? rows[i][n] : maximum;
    out[n] = maximum;
  }
}

template <class Isa>
AQ_INLINE void SumRow(const uint8_t* const* rows, size_t count, size_t columns, int32_t* sums) {
  size_t n = 0;
  for (; n + kRowStep <= columns; n += kRowStep) {
    auto sum = Isa::Set(0);
    for (size_t i = 0; i < count; ++i) sum = Isa::Add(sum, Isa::Widen(Isa::LoadCodes(rows[i] + n)));
    Isa::Store(sums + n, sum);
  }
  for (; n < columns; ++n) {
    int32_t sum = 0;
    for (size_t i = 0; i < count; ++i) sum += rows[i][n];
    sums[n] = sum;
  }
}

}  // namespace
}  // namespace aq

// The strong symbols of one ISA; elementwise.cc lists them.
#define AQ_DEFINE_ROW_KERNELS(isa, Struct)                                                                    \
  void requantize_row_##isa(const int32_t* acc, size_t column, size_t columns, const Requantize& rq,          \
                            const uint8_t* residual, void* out) {                                             \
    RequantizeRows<Struct>({acc, 0, 1, column, columns, residual, out, 0}, rq);                               \
  }                                                                                                           \
  void add_row_##isa(const uint8_t* a, const uint8_t* b, size_t column, size_t columns, const Requantize& rq, \
                     uint8_t* out) {                                                                          \
    AddRow<Struct>(a, b, column, columns, rq, out);                                                           \
  }                                                                                                           \
  void multiply_row_##isa(const uint8_t* a, const uint8_t* b, int32_t zero_a, int32_t zero_b, size_t column,  \
                          size_t columns, const Requantize& rq, uint8_t* out) {                               \
    MultiplyRow<Struct>(a, b, zero_a, zero_b, column, columns, rq, out);                                      \
  }                                                                                                           \
  void lookup_row_##isa(const uint8_t* in, size_t count, const uint8_t table[256], uint8_t* out) {            \
    LookupRow<Struct>(in, count, table, out);                                                                 \
  }                                                                                                           \
  void maximum_row_##isa(const uint8_t* const* rows, size_t count, size_t columns, uint8_t* out) {            \
    MaximumRow<Struct>(rows, count, columns, out);                                                            \
  }                                                                                                           \
  void sum_row_##isa(const uint8_t* const* rows, size_t count, size_t columns, int32_t* sums) {               \
    SumRow<Struct>(rows, count, columns, sums);                                                               \
  }
