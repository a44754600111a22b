// SPDX-License-Identifier: Apache-2.0
// NEON with 8-bit matrix multiplies (ARMv8.6 i8mm): two rows by two columns, eight deep, unsigned activations by signed
// weights. Exact for all operands.
#pragma once

#include "kernels/isa/neon.h"

namespace aq {
namespace {

struct I8mm : NeonBase {
  static constexpr int kAccRows = 2, kAccCols = 2, kKr = 8, kBytes = 16;
  static constexpr int kActivationFlip = 0;
  static constexpr int TilesAtOnce(int /*rows*/) { return 4; }
  using Acc = int32x4_t;  // {row 0 col 0, row 0 col 1, row 1 col 0, row 1 col 1}
  using Bytes = uint8x16_t;
  using Weights = int8x16_t;
  using Act = uint8x16_t;

  static AQ_INLINE Acc LoadBias(const int32_t* p) {
    const int32x2_t bias = vld1_s32(p);
    return vcombine_s32(bias, bias);
  }
  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) { return vld1q_u8(p); }
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    return UnpackBytes<kBits, kPlane>(b, codebook);
  }
  static AQ_INLINE Weights LoadZeroPoints(const int8_t* p) { return vld1q_s8(p); }
  static AQ_INLINE Weights Subtract(Weights a, Weights b) { return vsubq_s8(a, b); }
  static AQ_INLINE void StoreWeights(uint8_t* p, Weights w) { vst1q_s8(reinterpret_cast<int8_t*>(p), w); }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) {
    return vcombine_u8(vld1_u8(row[0] + k), vld1_u8(row[1] + k));
  }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) { return vusmmlaq_s32(acc, a, w); }
  static AQ_INLINE void StoreAcc(Acc acc, int32_t* out, size_t stride) {
    vst1_s32(out, vget_low_s32(acc));
    vst1_s32(out + stride, vget_high_s32(acc));
  }
};

}  // namespace
}  // namespace aq
