// SPDX-License-Identifier: Apache-2.0
// Limit of dotprod: 16 products and their sums in one instruction.
#include <arm_neon.h>

#include "bench/peak_kernels.h"
#include "kernels/isa/unroll.h"

namespace aq::bench {

void peak_neondot_dot(size_t steps) {
  int32x4_t sums[12];
  Unroll<12>([&](auto j) AQ_LAMBDA { sums[j] = vdupq_n_s32(0); });
  const int8x16_t a = vdupq_n_s8(0);
  const auto step = [&a](int32x4_t& sum) AQ_LAMBDA { asm volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(sum) : "w"(a)); };
  for (size_t i = 0; i < steps; ++i) Unroll<12>([&](auto j) AQ_LAMBDA { step(sums[j]); });
}

}  // namespace aq::bench
