// SPDX-License-Identifier: Apache-2.0
// Limit of AVX-VNNI: 32 products and their sums in one instruction.
#include <immintrin.h>

#include "bench/peak_kernels.h"
#include "kernels/isa/unroll.h"

namespace aq::bench {

void peak_avxvnni_dot(size_t steps) {
  __m256i sums[12];
  Unroll<12>([&](auto j) AQ_LAMBDA { sums[j] = _mm256_setzero_si256(); });
  const __m256i a = _mm256_setzero_si256();
  const auto step = [&a](__m256i& sum) AQ_LAMBDA { asm volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(sum) : "x"(a)); };
  for (size_t i = 0; i < steps; ++i) Unroll<12>([&](auto j) AQ_LAMBDA { step(sums[j]); });
}

}  // namespace aq::bench
