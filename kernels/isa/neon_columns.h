// SPDX-License-Identifier: Apache-2.0
// Matrix multiply of NEON without dot products (v8.0, armv7), and what neondot.h shares with it. Sixteen activations
// of a row meet sixteen weights of one column as they lie in memory; a register holds partial sums of one row and one
// column, added up when the tile is done. Activations are flipped to signed bytes.
#pragma once

#include "kernels/isa/neon.h"

namespace aq {
namespace {

struct NeonColumns : NeonBase {
  static constexpr int kAccRows = 1, kAccCols = 4, kKr = 16, kBytes = 64;
  static constexpr int kActivationFlip = -128;
  struct Acc {
    int32x4_t v[kAccCols];
  };
  struct Bytes {
    uint8x16_t v[kAccCols];
  };
  struct Weights {
    int8x16_t v[kAccCols];
  };
  using Act = int8x16_t;

  static AQ_INLINE Acc LoadBias(const int32_t* p) {
    Acc acc;
    Unroll<kAccCols>([&](auto j) AQ_LAMBDA { acc.v[j] = vsetq_lane_s32(p[j], vdupq_n_s32(0), 0); });
    return acc;
  }
  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) {
    Bytes b;
    Unroll<kAccCols>([&](auto j) AQ_LAMBDA { b.v[j] = vld1q_u8(p + 16 * j); });
    return b;
  }
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(const Bytes& b, Codebook codebook) {
    Weights w;
    Unroll<kAccCols>([&](auto j) AQ_LAMBDA { w.v[j] = UnpackBytes<kBits, kPlane>(b.v[j], codebook); });
    return w;
  }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) {
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row[0] + k), vdupq_n_u8(0x80)));
  }
  static AQ_INLINE void StoreAcc(const Acc& acc, int32_t* out, size_t /*stride*/) {
    vst1q_s32(out, neon::AddPairs(neon::AddPairs(acc.v[0], acc.v[1]), neon::AddPairs(acc.v[2], acc.v[3])));
  }
};

// Exact for all operands: two products of -128 * -128 do not fit 16 bits, so each is widened on its own.
struct NeonWide : NeonColumns {
  static AQ_INLINE Acc Dot(Acc acc, Act a, const Weights& w) {
    Unroll<kAccCols>([&](auto j) AQ_LAMBDA {
      acc.v[j] = vpadalq_s16(acc.v[j], vmull_s8(vget_low_s8(a), vget_low_s8(w.v[j])));
      acc.v[j] = vpadalq_s16(acc.v[j], neon::MultiplyHighHalves(a, w.v[j]));
    });
    return acc;
  }
};

}  // namespace
}  // namespace aq
