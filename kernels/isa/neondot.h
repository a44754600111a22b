// SPDX-License-Identifier: Apache-2.0
// NEON with dot products of four signed bytes (ARMv8.2 dotprod): exact for all operands.
#pragma once

#include "kernels/isa/neon_columns.h"

namespace aq {
namespace {

struct NeonDot : NeonColumns {
  static AQ_INLINE Acc Dot(Acc acc, Act a, const Weights& w) {
    Unroll<kAccCols>([&](auto j) AQ_LAMBDA { acc.v[j] = vdotq_s32(acc.v[j], w.v[j], a); });
    return acc;
  }
};

}  // namespace
}  // namespace aq
