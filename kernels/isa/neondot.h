// SPDX-License-Identifier: Apache-2.0
// NEON with dot products of four signed bytes (ARMv8.2 dotprod): exact for all operands, flipped (-128) or below 128.
#pragma once

#include "kernels/isa/neon_columns.h"

namespace aq {
namespace {

template <int kFlip>
struct NeonDot : NeonColumns<kFlip> {
  using Base = NeonColumns<kFlip>;
  static AQ_INLINE typename Base::Acc Dot(typename Base::Acc acc, typename Base::Act a,
                                          const typename Base::Weights& w) {
    Unroll<4>([&](auto j) AQ_LAMBDA { acc.v[j] = vdotq_s32(acc.v[j], w.v[j], a); });
    return acc;
  }
};

}  // namespace
}  // namespace aq
