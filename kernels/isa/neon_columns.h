// SPDX-License-Identifier: Apache-2.0
// Matrix multiply by columns, for NEON without dot products. Sixteen activations of a row meet sixteen weights of one
// column as they lie in memory; a register holds partial sums of one row and one column, which are added up when the
// tile is done.
//
// Multiplies are of signed bytes. Activations above 127 are flipped (less 128, undone in the bias); where a layer has
// none, unflipped ones stay small, so that many products fit a narrow sum.
#pragma once

#include "kernels/isa/neon.h"

namespace aq {
namespace {

// Four registers, one per column.
template <class Register>
struct FourColumns {
  Register v[4];
};

template <int kFlip>
struct NeonColumns : NeonBase {
  static constexpr int kAccRows = 1, kAccCols = 4, kKr = 16, kBytes = 64;
  static constexpr int kActivationFlip = kFlip;
  // Registers left for sums: 24 of 32, armv7 8 of 16.
  static constexpr int TilesAtOnce(int rows) { return sizeof(void*) == 8 && rows == 1 ? 2 : 1; }
  using Acc = FourColumns<int32x4_t>;
  using Bytes = FourColumns<uint8x16_t>;
  using Weights = FourColumns<int8x16_t>;
  using Act = int8x16_t;

  static AQ_INLINE Acc LoadBias(const int32_t* p) {
    Acc acc;
    Unroll<4>([&](auto j) AQ_LAMBDA { acc.v[j] = vsetq_lane_s32(p[j], vdupq_n_s32(0), 0); });
    return acc;
  }
  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) {
    Bytes b;
    Unroll<4>([&](auto j) AQ_LAMBDA { b.v[j] = vld1q_u8(p + 16 * j); });
    return b;
  }
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(const Bytes& b, Codebook codebook) {
    Weights w;
    Unroll<4>([&](auto j) AQ_LAMBDA { w.v[j] = UnpackBytes<kBits, kPlane>(b.v[j], codebook); });
    return w;
  }
  static AQ_INLINE Weights LoadZeroPoints(const int8_t* p) {
    Weights w;
    Unroll<4>([&](auto j) AQ_LAMBDA { w.v[j] = vld1q_s8(p + 16 * j); });
    return w;
  }
  static AQ_INLINE Weights Subtract(const Weights& a, const Weights& b) {
    Weights w;
    Unroll<4>([&](auto j) AQ_LAMBDA { w.v[j] = vsubq_s8(a.v[j], b.v[j]); });
    return w;
  }
  static AQ_INLINE void StoreWeights(uint8_t* p, const Weights& w) {
    Unroll<4>([&](auto j) AQ_LAMBDA { vst1q_s8(reinterpret_cast<int8_t*>(p) + 16 * j, w.v[j]); });
  }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) {
    const uint8x16_t codes = vld1q_u8(row[0] + k);
    return vreinterpretq_s8_u8(kFlip == 0 ? codes : veorq_u8(codes, vdupq_n_u8(0x80)));
  }
  // The sum of each register.
  static AQ_INLINE int32x4_t SumColumns(const Acc& acc) {
    return neon::AddPairs(neon::AddPairs(acc.v[0], acc.v[1]), neon::AddPairs(acc.v[2], acc.v[3]));
  }
  static AQ_INLINE void StoreAcc(const Acc& acc, int32_t* out, size_t /*stride*/) { vst1q_s32(out, SumColumns(acc)); }
};

// Exact for all operands: two products of -128 * -128 do not fit int16, so each is widened on its own.
struct NeonWide : NeonColumns<-128> {
  static AQ_INLINE Acc Dot(Acc acc, Act a, const Weights& w) {
    Unroll<4>([&](auto j) AQ_LAMBDA {
      acc.v[j] = vpadalq_s16(acc.v[j], vmull_s8(vget_low_s8(a), vget_low_s8(w.v[j])));
      acc.v[j] = vpadalq_s16(acc.v[j], neon::MultiplyHighHalves(a, w.v[j]));
    });
    return acc;
  }
};

// Two products are summed in int16 first.
struct NeonPair : NeonColumns<-128> {
  static AQ_INLINE Acc Dot(Acc acc, Act a, const Weights& w) {
    int16x8_t products[4];  // one kind of instruction after the other: in-order cores wait for results
    Unroll<4>([&](auto j) AQ_LAMBDA { products[j] = vmull_s8(vget_low_s8(a), vget_low_s8(w.v[j])); });
    Unroll<4>([&](auto j) AQ_LAMBDA { products[j] = neon::MultiplyAddHighHalves(products[j], a, w.v[j]); });
    Unroll<4>([&](auto j) AQ_LAMBDA { acc.v[j] = vpadalq_s16(acc.v[j], products[j]); });
    return acc;
  }
};

// Sums in int16, widened every widen_steps.
template <int kFlip>
struct NeonSum16 : NeonColumns<kFlip> {
  using Base = NeonColumns<kFlip>;
  using Acc = FourColumns<int16x8_t>;
  static AQ_INLINE Acc ZeroAcc() { return {{vdupq_n_s16(0), vdupq_n_s16(0), vdupq_n_s16(0), vdupq_n_s16(0)}}; }
  static AQ_INLINE Acc Dot(Acc acc, typename Base::Act a, const typename Base::Weights& w) {
    Unroll<4>([&](auto j) AQ_LAMBDA { acc.v[j] = vmlal_s8(acc.v[j], vget_low_s8(a), vget_low_s8(w.v[j])); });
    Unroll<4>([&](auto j) AQ_LAMBDA { acc.v[j] = neon::MultiplyAddHighHalves(acc.v[j], a, w.v[j]); });
    return acc;
  }
  static AQ_INLINE void AddWidened(const Acc& acc, const int32_t* from, int32_t* out) {
    typename Base::Acc sums;
    Unroll<4>([&](auto j) AQ_LAMBDA { sums.v[j] = vpaddlq_s16(acc.v[j]); });
    vst1q_s32(out, vaddq_s32(vld1q_s32(from), Base::SumColumns(sums)));
  }
};

// Sums in int8: sixteen multiply-adds per instruction, for the products of 2-bit weights and activations.
struct NeonSum8 : NeonColumns<0> {
  using Acc = FourColumns<int8x16_t>;
  static AQ_INLINE Acc ZeroAcc() { return {{vdupq_n_s8(0), vdupq_n_s8(0), vdupq_n_s8(0), vdupq_n_s8(0)}}; }
  static AQ_INLINE Acc Dot(Acc acc, Act a, const Weights& w) {
    Unroll<4>([&](auto j) AQ_LAMBDA { acc.v[j] = vmlaq_s8(acc.v[j], a, w.v[j]); });
    return acc;
  }
  static AQ_INLINE void AddWidened(const Acc& acc, const int32_t* from, int32_t* out) {
    int16x8_t pairs[4];  // sums of sixteen int8 fit int16
    Unroll<4>([&](auto j) AQ_LAMBDA { pairs[j] = vpaddlq_s8(acc.v[j]); });
    const int16x8_t sums = neon::AddPairs(neon::AddPairs(pairs[0], pairs[1]), neon::AddPairs(pairs[2], pairs[3]));
    vst1q_s32(out, vaddq_s32(vld1q_s32(from), vpaddlq_s16(sums)));
  }
};

}  // namespace
}  // namespace aq
