// SPDX-License-Identifier: Apache-2.0
// Limits of NEON, 64-bit ARM and armv7, written out as in peak_avx2.cc.
#include <arm_neon.h>

#include "bench/peak_kernels.h"
#include "kernels/isa/unroll.h"

namespace aq::bench {

// Instructions on a sum (operand 0), a product (1) and the factors (2).
#if defined(__aarch64__)
#define AQ_FMA "fmla %0.4s, %2.4s, %2.4s"
#define AQ_PAIRS "smull %1.8h, %2.8b, %2.8b\n smlal2 %1.8h, %2.16b, %2.16b\n sadalp %0.4s, %1.8h"
#define AQ_LONG "smlal %0.8h, %2.8b, %2.8b"
#define AQ_BYTES "mla %0.16b, %2.16b, %2.16b"
#define AQ_LOOKUP "tbl %1.16b, {%2.16b}, %2.16b\n add %0.16b, %0.16b, %1.16b"
#else
#define AQ_FMA "vmla.f32 %q0, %q2, %q2"
#define AQ_PAIRS "vmull.s8 %q1, %e2, %e2\n vmlal.s8 %q1, %f2, %f2\n vpadal.s16 %q0, %q1"
#define AQ_LONG "vmlal.s8 %q0, %e2, %e2"
#define AQ_BYTES "vmla.i8 %q0, %q2, %q2"
#define AQ_LOOKUP "vtbl.8 %e1, {%e2, %f2}, %e2\n vtbl.8 %f1, {%e2, %f2}, %f2\n vadd.i8 %q0, %q0, %q1"
#endif

#define AQ_PEAK_OF(id, instructions)                                   \
  void peak_neon_##id(size_t steps) {                                  \
    int8x16_t sums[6];                                                 \
    Unroll<6>([&](auto j) AQ_LAMBDA { sums[j] = vdupq_n_s8(0); });     \
    const int8x16_t a = vdupq_n_s8(0);                                 \
    const auto step = [&a](int8x16_t& sum) AQ_LAMBDA {                 \
      int8x16_t product;                                               \
      asm volatile(instructions : "+w"(sum), "=&w"(product) : "w"(a)); \
    };                                                                 \
    for (size_t i = 0; i < steps; ++i) {                               \
      Unroll<6>([&](auto j) AQ_LAMBDA { step(sums[j]); });             \
    }                                                                  \
  }
AQ_PEAK_OF(fma, AQ_FMA)
AQ_PEAK_OF(pairs, AQ_PAIRS)
AQ_PEAK_OF(words, AQ_LONG)
AQ_PEAK_OF(bytes, AQ_BYTES)
AQ_PEAK_OF(lookup, AQ_LOOKUP)

}  // namespace aq::bench
