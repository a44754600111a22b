// SPDX-License-Identifier: Apache-2.0
// Limits of AVX2. The instructions are written out, so that no compiler finds a shorter way; their operands stay in
// registers. Eight to twelve independent sums hide the latency.
#include <immintrin.h>

#include "bench/peak_kernels.h"
#include "kernels/isa/unroll.h"

namespace aq::bench {
namespace {

// step(sum) `steps` times for each of kSums sums.
template <int kSums, class Step>
AQ_INLINE void Repeat(size_t steps, Step step) {
  __m256i sums[kSums];
  Unroll<kSums>([&](auto j) AQ_LAMBDA { sums[j] = _mm256_setzero_si256(); });
  for (size_t i = 0; i < steps; ++i) Unroll<kSums>([&](auto j) AQ_LAMBDA { step(sums[j]); });
}

}  // namespace

void peak_avx2_fma(size_t steps) {
  const __m256 a = _mm256_setzero_ps();
  Repeat<12>(steps, [&](__m256i& sum) AQ_LAMBDA { asm volatile("vfmadd231ps %1, %1, %0" : "+x"(sum) : "x"(a)); });
}

// %0: a sum, %1: a product, %2: the operands.
#define AQ_MULTIPLY_AND_ADD(id, instructions)                          \
  void peak_avx2_##id(size_t steps) {                                  \
    const __m256i a = _mm256_setzero_si256();                          \
    Repeat<8>(steps, [&](__m256i& sum) AQ_LAMBDA {                     \
      __m256i product;                                                 \
      asm volatile(instructions : "+x"(sum), "=&x"(product) : "x"(a)); \
    });                                                                \
  }
AQ_MULTIPLY_AND_ADD(madd, "vpmaddwd %2, %2, %1\n vpaddd %1, %0, %0")
AQ_MULTIPLY_AND_ADD(maddubs_madd, "vpmaddubsw %2, %2, %1\n vpmaddwd %2, %1, %1\n vpaddd %1, %0, %0")
AQ_MULTIPLY_AND_ADD(maddubs, "vpmaddubsw %2, %2, %1\n vpaddw %1, %0, %0")
AQ_MULTIPLY_AND_ADD(lookup, "vpshufb %2, %2, %1\n vpaddb %1, %0, %0")

void read_avx2(const uint8_t* memory, size_t bytes) {
  __m256i seen[4];
  Unroll<4>([&](auto j) AQ_LAMBDA { seen[j] = _mm256_setzero_si256(); });
  const auto add = [](__m256i& sum, const uint8_t* p) AQ_LAMBDA {  // clang captures nothing for asm in generic lambdas
    asm volatile("vpor %1, %0, %0" : "+x"(sum) : "m"(*reinterpret_cast<const __m256i_u*>(p)));
  };
  for (const uint8_t* end = memory + bytes; memory != end; memory += 128) {
    Unroll<4>([&](auto j) AQ_LAMBDA { add(seen[j], memory + 32 * j); });
  }
}

}  // namespace aq::bench
