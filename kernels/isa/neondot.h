// SPDX-License-Identifier: Apache-2.0
// NEON with dot products of four signed bytes (ARMv8.2 dotprod): exact for all operands, flipped (-128) or below 128.
// A register holds the sums of four columns; of sixteen activations loaded at once, each dot product takes four by
// lane, so a step's weights lie as [4 times four k][4 columns][4 k] (pack.cc).
#pragma once

#include "kernels/isa/neon_columns.h"

namespace aq {
namespace {

template <int kFlip>
struct NeonDot : NeonColumns<kFlip> {
  using Base = NeonColumns<kFlip>;
  using Acc = int32x4_t;
  static constexpr int TilesAtOnce(int rows) { return rows == 1 ? 4 : 2; }
  static AQ_INLINE Acc LoadBias(const int32_t* p) { return vld1q_s32(p); }
  static AQ_INLINE Acc Dot(Acc acc, typename Base::Act a, const typename Base::Weights& w) {
    acc = vdotq_laneq_s32(acc, w.v[0], a, 0);
    acc = vdotq_laneq_s32(acc, w.v[1], a, 1);
    acc = vdotq_laneq_s32(acc, w.v[2], a, 2);
    return vdotq_laneq_s32(acc, w.v[3], a, 3);
  }
  static AQ_INLINE void StoreAcc(Acc acc, int32_t* out, size_t /*stride*/) { vst1q_s32(out, acc); }
};

}  // namespace
}  // namespace aq
