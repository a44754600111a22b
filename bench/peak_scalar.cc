// SPDX-License-Identifier: Apache-2.0
// Limits of plain C++: one multiplication at a time, eight independent sums.
#include "bench/peak_kernels.h"
#include "kernels/isa/unroll.h"

namespace aq::bench {

void peak_scalar_multiply(size_t steps) {
  int32_t sums[8] = {}, activation = 3, weight = 5;
  for (size_t i = 0; i < steps; ++i) {
    Unroll<8>([&](auto j) AQ_LAMBDA {
      asm volatile("" : "+r"(activation), "+r"(weight));  // a new product for the compiler, the old registers
      sums[j] += activation * weight;
      asm volatile("" : "+r"(sums[j]));
    });
  }
}

void read_scalar(const uint8_t* memory, size_t bytes) {
  uint64_t seen = 0;
  for (const uint8_t* end = memory + bytes; memory != end; memory += 64) {
    Unroll<8>([&](auto j) AQ_LAMBDA { seen |= reinterpret_cast<const volatile uint64_t*>(memory)[j]; });
  }
  asm volatile("" : : "r"(seen));
}

}  // namespace aq::bench
