// SPDX-License-Identifier: Apache-2.0
// The table of row functions.
#include "kernels/elementwise/elementwise.h"

namespace aq {

#define AQ_ROW_KERNELS(isa, Enum)                                                                              \
  void requantize_row_##isa(const int32_t*, size_t, size_t, const Requantize&, const uint8_t*, void*);         \
  void add_row_##isa(const uint8_t*, const uint8_t*, size_t, size_t, const Requantize&, uint8_t*);             \
  void multiply_row_##isa(const uint8_t*, const uint8_t*, int32_t, int32_t, size_t, size_t, const Requantize&, \
                          uint8_t*);                                                                           \
  void lookup_row_##isa(const uint8_t*, size_t, const uint8_t[256], uint8_t*);                                 \
  void maximum_row_##isa(const uint8_t* const*, size_t, size_t, uint8_t*);                                     \
  void sum_row_##isa(const uint8_t* const*, size_t, size_t, int32_t*);
#include "kernels/elementwise/kernels.inc"
#undef AQ_ROW_KERNELS

namespace {

constexpr RowKernels kKernels[] = {
#define AQ_ROW_KERNELS(isa, Enum)                                             \
  {#isa "_rows",       Isa::Enum,        requantize_row_##isa, add_row_##isa, \
   multiply_row_##isa, lookup_row_##isa, maximum_row_##isa,    sum_row_##isa},
#include "kernels/elementwise/kernels.inc"
#undef AQ_ROW_KERNELS
};

}  // namespace

RowKernelsTable AllRowKernels() { return {kKernels, kKernels + sizeof(kKernels) / sizeof(kKernels[0])}; }

const RowKernels* SelectRowKernels(IsaSet isas) {
  const RowKernels* best = nullptr;
  for (const RowKernels& kernels : kKernels) {
    if (isas.Has(kernels.isa)) best = &kernels;
  }
  return best;
}

}  // namespace aq
