// SPDX-License-Identifier: Apache-2.0
// Limits of AVX-512 with VNNI; see peak_avx2.cc.
#include <immintrin.h>

#include "bench/peak_kernels.h"
#include "kernels/isa/unroll.h"

namespace aq::bench {
namespace {

template <int kSums, class Step>
AQ_INLINE void Repeat(size_t steps, Step step) {
  __m512i sums[kSums];
  Unroll<kSums>([&](auto j) AQ_LAMBDA { sums[j] = _mm512_setzero_si512(); });
  for (size_t i = 0; i < steps; ++i) Unroll<kSums>([&](auto j) AQ_LAMBDA { step(sums[j]); });
}

}  // namespace

void peak_avx512vnni_fma(size_t steps) {
  const __m512 a = _mm512_setzero_ps();
  Repeat<12>(steps, [&](__m512i& sum) AQ_LAMBDA { asm volatile("vfmadd231ps %1, %1, %0" : "+v"(sum) : "v"(a)); });
}

void peak_avx512vnni_maddubs(size_t steps) {
  const __m512i a = _mm512_setzero_si512();
  Repeat<8>(steps, [&](__m512i& sum) AQ_LAMBDA {
    __m512i product;
    asm volatile("vpmaddubsw %2, %2, %1\n vpaddw %1, %0, %0" : "+v"(sum), "=&v"(product) : "v"(a));
  });
}

void peak_avx512vnni_dot(size_t steps) {
  const __m512i a = _mm512_setzero_si512();
  Repeat<12>(steps, [&](__m512i& sum) AQ_LAMBDA { asm volatile("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(a)); });
}

}  // namespace aq::bench
