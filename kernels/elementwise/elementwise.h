// SPDX-License-Identifier: Apache-2.0
// Row functions over channels: requantise accumulators, add, multiply, rescale, look up, maximum, sum. Everything that
// is not a convolution ends in one of these; one table row per ISA. Codes are bytes; a row is `columns` channels from
// `column`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/requantize/requantize.h"
#include "platforms/cpu.h"

namespace aq {

struct RowKernels {
  const char* name;
  Isa isa;
  // acc [columns] -> out (uint8, or int32 when rq.is_wide); residual null or [columns] codes.
  void (*requantize)(const int32_t* acc, size_t column, size_t columns, const Requantize& rq, const uint8_t* residual,
                     void* out);
  // out = a * ratio + b * residual_ratio (codes; rq.offset holds zero points); b null = 0 (rescaling of concatenation).
  void (*add)(const uint8_t* a, const uint8_t* b, size_t column, size_t columns, const Requantize& rq, uint8_t* out);
  // acc = (a - zero_a) * (b - zero_b), requantised.
  void (*multiply)(const uint8_t* a, const uint8_t* b, int32_t zero_a, int32_t zero_b, size_t column, size_t columns,
                   const Requantize& rq, uint8_t* out);
  void (*lookup)(const uint8_t* in, size_t count, const uint8_t table[256], uint8_t* out);
  // Channel-wise over `count` rows of `columns` codes.
  void (*maximum)(const uint8_t* const* rows, size_t count, size_t columns, uint8_t* out);
  void (*sum)(const uint8_t* const* rows, size_t count, size_t columns,
              int32_t* sums);  // sums[c] = sum of codes, overwritten
};
const RowKernels* SelectRowKernels(IsaSet isas);  // newest usable
struct RowKernelsTable {
  const RowKernels* begin_;
  const RowKernels* end_;
  const RowKernels* begin() const { return begin_; }
  const RowKernels* end() const { return end_; }
};
RowKernelsTable AllRowKernels();

}  // namespace aq
