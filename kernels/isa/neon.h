// SPDX-License-Identifier: Apache-2.0
// NEON registers behind the vocabulary of scalar.h, for 64-bit ARM (v8.0) and armv7. NeonBase is everything but the
// matrix multiply; neon_columns.h, neondot.h and i8mm.h add that. What armv7 lacks is in `namespace neon`.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize.h"

namespace aq {
namespace {
namespace neon {

// ---- One operation of 64-bit ARM each, in two or three of armv7 ----
#if defined(__aarch64__)
AQ_INLINE uint8x16_t LookUp16(uint8x16_t table, uint8x16_t index) { return vqtbl1q_u8(table, index); }
AQ_INLINE uint8x16_t EvenBytes(uint8x16_t a, uint8x16_t b) { return vuzp1q_u8(a, b); }
AQ_INLINE uint8x16_t OddBytes(uint8x16_t a, uint8x16_t b) { return vuzp2q_u8(a, b); }
AQ_INLINE int16x8_t EvenShorts(int32x4_t a, int32x4_t b) {
  return vuzp1q_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
}
AQ_INLINE int16x8_t MultiplyHighHalves(int8x16_t a, int8x16_t b) { return vmull_high_s8(a, b); }
AQ_INLINE int16x8_t MultiplyAddHighHalves(int16x8_t sums, int8x16_t a, int8x16_t b) {
  return vmlal_high_s8(sums, a, b);
}
AQ_INLINE int32x4_t MultiplyAddHighHalves(int32x4_t sums, int16x8_t a, int16x8_t b) {
  return vmlal_high_s16(sums, a, b);
}
// {a0 + a1, a2 + a3, b0 + b1, b2 + b3}
AQ_INLINE int32x4_t AddPairs(int32x4_t a, int32x4_t b) { return vpaddq_s32(a, b); }
AQ_INLINE int16x8_t AddPairs(int16x8_t a, int16x8_t b) { return vpaddq_s16(a, b); }
#else
AQ_INLINE uint8x16_t LookUp16(uint8x16_t table, uint8x16_t index) {
  const uint8x8x2_t halves = {{vget_low_u8(table), vget_high_u8(table)}};
  return vcombine_u8(vtbl2_u8(halves, vget_low_u8(index)), vtbl2_u8(halves, vget_high_u8(index)));
}
AQ_INLINE uint8x16_t EvenBytes(uint8x16_t a, uint8x16_t b) { return vuzpq_u8(a, b).val[0]; }
AQ_INLINE uint8x16_t OddBytes(uint8x16_t a, uint8x16_t b) { return vuzpq_u8(a, b).val[1]; }
AQ_INLINE int16x8_t EvenShorts(int32x4_t a, int32x4_t b) { return vcombine_s16(vmovn_s32(a), vmovn_s32(b)); }
AQ_INLINE int16x8_t MultiplyHighHalves(int8x16_t a, int8x16_t b) { return vmull_s8(vget_high_s8(a), vget_high_s8(b)); }
AQ_INLINE int16x8_t MultiplyAddHighHalves(int16x8_t sums, int8x16_t a, int8x16_t b) {
  return vmlal_s8(sums, vget_high_s8(a), vget_high_s8(b));
}
AQ_INLINE int32x4_t MultiplyAddHighHalves(int32x4_t sums, int16x8_t a, int16x8_t b) {
  return vmlal_s16(sums, vget_high_s16(a), vget_high_s16(b));
}
AQ_INLINE int32x4_t AddPairs(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)), vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
}
AQ_INLINE int16x8_t AddPairs(int16x8_t a, int16x8_t b) {
  return vcombine_s16(vpadd_s16(vget_low_s16(a), vget_high_s16(a)), vpadd_s16(vget_low_s16(b), vget_high_s16(b)));
}
#endif

}  // namespace neon

struct NeonBase {
  // ---- Packed weights: one byte look-up decodes any 16-entry codebook ----
  using Codebook = uint8x16_t;
  static AQ_INLINE Codebook LoadCodebook(const int8_t* p) { return vreinterpretq_u8_s8(vld1q_s8(p)); }
  template <int kBits, int kPlane>
  static AQ_INLINE int8x16_t UnpackBytes(uint8x16_t b, Codebook codebook) {
    if constexpr (kBits == 8) {
      return vreinterpretq_s8_u8(b);
    } else {
      constexpr int kShift = kBits * kPlane;
      uint8x16_t index = b;
      if constexpr (kShift > 0) index = vshrq_n_u8(index, kShift);
      if constexpr (kShift + kBits < 8) index = vandq_u8(index, vdupq_n_u8((1 << kBits) - 1));
      return vreinterpretq_s8_u8(neon::LookUp16(codebook, index));
    }
  }

  // ---- Sixteen columns at a time ----
  struct I32x16 {
    int32x4_t v[4];
  };
  using Codes = uint8x16_t;

  // f(0) ... f(3), one result per register.
  template <class F>
  static AQ_INLINE I32x16 Each(F&& f) {
    return {{f(0), f(1), f(2), f(3)}};
  }
  static AQ_INLINE I32x16 Load(const int32_t* p) {
    return Each([&](int i) AQ_LAMBDA { return vld1q_s32(p + 4 * i); });
  }
  static AQ_INLINE void Store(int32_t* p, const I32x16& a) {
    Unroll<4>([&](auto i) AQ_LAMBDA { vst1q_s32(p + 4 * i, a.v[i]); });
  }
  static AQ_INLINE I32x16 Set(int32_t value) {
    return Each([&](int) AQ_LAMBDA { return vdupq_n_s32(value); });
  }
  static AQ_INLINE Codes LoadCodes(const uint8_t* p) { return vld1q_u8(p); }
  static AQ_INLINE void StoreCodes(uint8_t* p, Codes a) { vst1q_u8(p, a); }
  static AQ_INLINE I32x16 Widen(Codes a) {
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(a)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(a)));
    return {{vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)), vmovl_s16(vget_low_s16(high)),
             vmovl_s16(vget_high_s16(high))}};
  }
  static AQ_INLINE I32x16 Add(const I32x16& a, const I32x16& b) {
    return Each([&](int i) AQ_LAMBDA { return vaddq_s32(a.v[i], b.v[i]); });
  }
  static AQ_INLINE I32x16 Multiply(const I32x16& a, const I32x16& b) {
    return Each([&](int i) AQ_LAMBDA { return vmulq_s32(a.v[i], b.v[i]); });
  }
  static AQ_INLINE I32x16 ShiftLeft(const I32x16& a, const I32x16& by) {
    return Each([&](int i) AQ_LAMBDA { return vshlq_s32(a.v[i], by.v[i]); });
  }
  // vshl by a negative count shifts right and floors; vrshl would round.
  static AQ_INLINE I32x16 ShiftRight(const I32x16& a, const I32x16& by) {
    return Each([&](int i) AQ_LAMBDA { return vshlq_s32(a.v[i], vnegq_s32(by.v[i])); });
  }
  template <int kBy>
  static AQ_INLINE I32x16 ShiftRight(const I32x16& a) {
    return Each([&](int i) AQ_LAMBDA { return vshrq_n_s32(a.v[i], kBy); });
  }
  // vqdmulh is floor(2ab / 2^32), and floor(floor(2x) / 2) = floor(x). It saturates only where both factors are the
  // most negative number; multipliers are positive.
  static AQ_INLINE I32x16 MultiplyHigh(const I32x16& a, const I32x16& b) {
    return Each([&](int i) AQ_LAMBDA { return vshrq_n_s32(vqdmulhq_s32(a.v[i], b.v[i]), 1); });
  }
  static AQ_INLINE I32x16 ClampTo(const I32x16& a, int32_t high) {
    const int32x4_t zero = vdupq_n_s32(0), top = vdupq_n_s32(high);
    return Each([&](int i) AQ_LAMBDA { return vminq_s32(vmaxq_s32(a.v[i], zero), top); });
  }
  static AQ_INLINE int32x4_t MinusCountAbove(int32x4_t a, int32x4_t t0, int32x4_t t1, int32x4_t t2) {
    const int32x4_t first = vreinterpretq_s32_u32(vcgtq_s32(a, t0)), second = vreinterpretq_s32_u32(vcgtq_s32(a, t1));
    return vaddq_s32(vaddq_s32(first, second), vreinterpretq_s32_u32(vcgtq_s32(a, t2)));
  }
  static AQ_INLINE Codes CountAbove(const I32x16& a, const I32x16& t0, const I32x16& t1, const I32x16& t2) {
    const I32x16 minus = Each([&](int i) AQ_LAMBDA { return MinusCountAbove(a.v[i], t0.v[i], t1.v[i], t2.v[i]); });
    const int16x8_t low = neon::EvenShorts(minus.v[0], minus.v[1]), high = neon::EvenShorts(minus.v[2], minus.v[3]);
    const uint8x16_t bytes = neon::EvenBytes(vreinterpretq_u8_s16(low), vreinterpretq_u8_s16(high));
    return vsubq_u8(vdupq_n_u8(0), bytes);
  }
  static AQ_INLINE Codes ClampCodes(const I32x16& a) {
    const int16x8_t low = vcombine_s16(vqmovn_s32(a.v[0]), vqmovn_s32(a.v[1]));
    const int16x8_t high = vcombine_s16(vqmovn_s32(a.v[2]), vqmovn_s32(a.v[3]));
    return vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
  }
  static AQ_INLINE Codes Maximum(Codes a, Codes b) { return vmaxq_u8(a, b); }

  // ---- The border rule ----
  struct Rounding {
    uint8x16_t border;
    int8x16_t minus_border_shift;
    uint16x8_t top;
  };
  static AQ_INLINE Rounding LoadRounding(const Requantize& rq) {
    return {vld1q_u8(rq.border), vdupq_n_s8(static_cast<int8_t>(-rq.border_shift)),
            vdupq_n_u16(static_cast<uint16_t>(rq.max_level << kFractionBits))};
  }
  static AQ_INLINE Codes Round(const I32x16& value, const Rounding& rounding) {
    // qmovun clamps to [0, 65535], which min brings down to the top level.
    const uint16x8_t low = vminq_u16(vcombine_u16(vqmovun_s32(value.v[0]), vqmovun_s32(value.v[1])), rounding.top);
    const uint16x8_t high = vminq_u16(vcombine_u16(vqmovun_s32(value.v[2]), vqmovun_s32(value.v[3])), rounding.top);
    const uint8x16_t frac = neon::EvenBytes(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high));
    const uint8x16_t level = neon::OddBytes(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high));
    const uint8x16_t border = neon::LookUp16(rounding.border, vshlq_u8(level, rounding.minus_border_shift));
    return vsubq_u8(level, vcgtq_u8(frac, border));  // true is -1
  }

  // ---- Depthwise: multiply-add of four channels ----
  using TapSums = I32x16;
  static AQ_INLINE TapSums ZeroTaps() { return Set(0); }
  static AQ_INLINE TapSums DotTap(const TapSums& sums, const uint8_t* a, const int16_t* w) {
    const uint8x16_t codes = vld1q_u8(a);
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(codes)));
    const int16x8_t w_low = vld1q_s16(w), w_high = vld1q_s16(w + 8);
    return {{vmlal_s16(sums.v[0], vget_low_s16(low), vget_low_s16(w_low)),
             neon::MultiplyAddHighHalves(sums.v[1], low, w_low),
             vmlal_s16(sums.v[2], vget_low_s16(high), vget_low_s16(w_high)),
             neon::MultiplyAddHighHalves(sums.v[3], high, w_high)}};
  }
  static AQ_INLINE TapSums DotTaps(const TapSums& sums, const uint8_t* a0, const uint8_t* a1, const int16_t* w0,
                                   const int16_t* w1) {
    return DotTap(DotTap(sums, a0, w0), a1, w1);
  }
  static AQ_INLINE I32x16 FinishTaps(const TapSums& sums) { return sums; }

  // Narrow: signed bytes, so activations are flipped (less 128). Sums wrap, but those that start from 128 times the sum
  // of the weights end within int16.
  static constexpr size_t kSumChannels = 16, kSumPixels = 2;
  struct Sums {
    int16x8_t low, high;
  };
  struct TapWeights {
    int8x16_t first, second;
  };
  static AQ_INLINE Sums LoadSums(const int16_t* p) { return {vld1q_s16(p), vld1q_s16(p + 8)}; }
  static AQ_INLINE TapWeights LoadTapWeights(const int8_t* p) { return {vld1q_s8(p), vld1q_s8(p + 16)}; }
  using Taps = int8x16_t;
  struct TapPairs {
    Taps first, second;
  };
  static AQ_INLINE Taps LoadTaps(const uint8_t* p) {
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(0x80)));
  }
  static AQ_INLINE TapPairs PairTaps(Taps a, Taps b) { return {a, b}; }
  static AQ_INLINE Sums DotOneTap(Sums sums, Taps a, int8x16_t w) {
    return {vmlal_s8(sums.low, vget_low_s8(a), vget_low_s8(w)), neon::MultiplyAddHighHalves(sums.high, a, w)};
  }
  static AQ_INLINE Sums DotTwoTaps(Sums sums, const TapPairs& taps, const TapWeights& w) {
    return DotOneTap(DotOneTap(sums, taps.first, w.first), taps.second, w.second);
  }
  static AQ_INLINE void StoreSums(Sums sums, const int32_t* rest, int32_t* acc) {
    vst1q_s32(acc, vaddw_s16(vld1q_s32(rest), vget_low_s16(sums.low)));
    vst1q_s32(acc + 4, vaddw_s16(vld1q_s32(rest + 4), vget_high_s16(sums.low)));
    vst1q_s32(acc + 8, vaddw_s16(vld1q_s32(rest + 8), vget_low_s16(sums.high)));
    vst1q_s32(acc + 12, vaddw_s16(vld1q_s32(rest + 12), vget_high_s16(sums.high)));
  }
  using Scaled = I32x16;
  // Eight sums. vqdmulh is floor(2ab / 2^16); it saturates only at twice the most negative number, which sums never
  // are.
  static AQ_INLINE void ScaleHalf(int16x8_t sums, const SumScale& by, int at, int32x4_t* scaled) {
    const int16x8_t low = vshrq_n_s16(vqdmulhq_s16(sums, vld1q_s16(by.low + at)), 1), high = vld1q_s16(by.high + at);
    const auto scale = [&](int32x4_t product, int i) AQ_LAMBDA {
      return vshlq_s32(vaddq_s32(product, vld1q_s32(by.offset + i)), vnegq_s32(vld1q_s32(by.shift + i)));
    };
    scaled[0] = scale(vaddw_s16(vmull_s16(vget_low_s16(sums), vget_low_s16(high)), vget_low_s16(low)), at);
    scaled[1] = scale(neon::MultiplyAddHighHalves(vmovl_s16(vget_high_s16(low)), sums, high), at + 4);
  }
  static AQ_INLINE Scaled ScaleSums(Sums sums, const SumScale& by) {
    Scaled scaled;
    ScaleHalf(sums.low, by, 0, scaled.v);
    ScaleHalf(sums.high, by, 8, scaled.v + 2);
    return scaled;
  }
  using SumCodes = Codes;
  using SumRounding = Rounding;
  static AQ_INLINE SumRounding LoadSumRounding(const Requantize& rq) { return LoadRounding(rq); }
  static AQ_INLINE SumCodes ClampSums(const Scaled& codes, SumCodes top) { return vminq_u8(ClampCodes(codes), top); }
  static AQ_INLINE SumCodes RoundSums(const Scaled& values, const SumRounding& rounding) {
    return Round(values, rounding);
  }
  static AQ_INLINE SumCodes CountSumsAbove(Sums sums, const int16_t* thresholds) {
    const auto minus = [&](int16x8_t v, const int16_t* t) AQ_LAMBDA {
      const uint16x8_t two = vaddq_u16(vcgtq_s16(v, vld1q_s16(t)), vcgtq_s16(v, vld1q_s16(t + 16)));
      return vmovn_u16(vaddq_u16(two, vcgtq_s16(v, vld1q_s16(t + 32))));
    };
    return vsubq_u8(vdupq_n_u8(0), vcombine_u8(minus(sums.low, thresholds), minus(sums.high, thresholds + 8)));
  }
  static AQ_INLINE SumCodes SetSumCodes(int32_t code) { return vdupq_n_u8(static_cast<uint8_t>(code)); }
  static AQ_INLINE void StoreSumCodes(uint8_t* p, SumCodes codes) { StoreCodes(p, codes); }

  // ---- Look-up ----
#if defined(__aarch64__)
  // Four tables of 64 bytes fill half the registers; an index outside a table leaves what the others found.
  static constexpr size_t kLookupStep = 16;
  static AQ_INLINE void Lookup(const uint8_t* in, const uint8_t* table, uint8_t* out) {
    const uint8x16_t codes = vld1q_u8(in), step = vdupq_n_u8(64);
    uint8x16_t found = vqtbl4q_u8(vld1q_u8_x4(table), codes), index = codes;
    Unroll<3>([&](auto i) AQ_LAMBDA {
      index = vsubq_u8(index, step);
      found = vqtbx4q_u8(found, vld1q_u8_x4(table + 64 * (i + 1)), index);
    });
    vst1q_u8(out, found);
  }
#else
  static constexpr size_t kLookupStep = 1;  // the table alone would fill all of armv7's registers
  static AQ_INLINE void Lookup(const uint8_t* in, const uint8_t* table, uint8_t* out) { *out = table[*in]; }
#endif
};

#if defined(__aarch64__)
// Looks up pairs; columns in order. (armv7 takes two instructions to look up eight bytes and has half the registers.)
struct NeonPairs : NeonBase {
  static constexpr int kAccRows = 1, kAccCols = 16, kKr = 1, kBytes = 16;
  static constexpr int kActivationFlip = 0;
  using Bytes = uint8x16_t;
  using Pairs = uint8x16_t;
  using PairRow = uint8x16_t;
  using ByteSums = uint8x16_t;
  struct PairFactors {
    int16_t factor;
    int16x8_t zero_points[2];
  };
  static constexpr size_t kPackCodes = 32;
  using CodeSums = uint16x8_t;
  static AQ_INLINE CodeSums ZeroCodeSums() { return vdupq_n_u16(0); }
  static AQ_INLINE CodeSums PackCodes(CodeSums sums, const uint8_t* codes, uint8_t* pairs) {
    const uint8x16x2_t a = vld2q_u8(codes);
    vst1q_u8(pairs, vorrq_u8(vshlq_n_u8(a.val[0], 4), vshlq_n_u8(a.val[1], 6)));
    return vpadalq_u8(sums, vaddq_u8(a.val[0], a.val[1]));
  }
  static AQ_INLINE uint16_t TotalOf(CodeSums sums) { return vaddvq_u16(sums); }

  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) { return vld1q_u8(p); }
  template <int kBits, int kStep>
  static AQ_INLINE Pairs UnpackPairs(Bytes b) {
    if constexpr (kBits == 4) return b;
    return kStep == 0 ? vandq_u8(b, vdupq_n_u8(15)) : vshrq_n_u8(b, 4);
  }
  static AQ_INLINE void StorePairs(uint8_t* p, Pairs a) { vst1q_u8(p, a); }
  static AQ_INLINE PairRow LoadPairRow(const uint8_t* products) { return vld1q_u8(products); }
  static AQ_INLINE ByteSums StartBytes(uint8_t value) { return vdupq_n_u8(value); }
  static AQ_INLINE ByteSums LookUpAdd(ByteSums sums, PairRow products, Pairs index) {
    sums = vaddq_u8(sums, vqtbl1q_u8(products, index));
    __asm__("" : "+w"(sums));  // or gcc adds products to each other first, and runs out of registers
    return sums;
  }
  static AQ_INLINE void StartWords(uint16_t* words, uint16_t value) {
    vst1q_u16(words, vdupq_n_u16(value));
    vst1q_u16(words + 8, vdupq_n_u16(value));
  }
  static AQ_INLINE void AddToWords(ByteSums sums, uint16_t* words) {
    vst1q_u16(words, vaddw_u8(vld1q_u16(words), vget_low_u8(sums)));
    vst1q_u16(words + 8, vaddw_high_u8(vld1q_u16(words + 8), sums));
  }
  static AQ_INLINE PairFactors LoadPairFactors(int16_t factor, const int32_t* zero_points) {
    PairFactors f = {factor, {vdupq_n_s16(0), vdupq_n_s16(0)}};
    if (zero_points == nullptr) return f;
    f.zero_points[0] = neon::EvenShorts(vld1q_s32(zero_points), vld1q_s32(zero_points + 4));
    f.zero_points[1] = neon::EvenShorts(vld1q_s32(zero_points + 8), vld1q_s32(zero_points + 12));
    return f;
  }
  static AQ_INLINE void FinishWords(const uint16_t* words, const PairFactors& f, int32_t row_sum, const int32_t* bias,
                                    int32_t* out) {
    const int16_t row = static_cast<int16_t>(row_sum);
    Unroll<2>([&](auto half) AQ_LAMBDA {
      const int16x8_t sums = vreinterpretq_s16_u16(vld1q_u16(words + 8 * half)), zero = f.zero_points[half];
      const int32x4_t low = vmlal_n_s16(vld1q_s32(bias + 8 * half), vget_low_s16(sums), f.factor);
      const int32x4_t high = vmlal_high_n_s16(vld1q_s32(bias + 8 * half + 4), sums, f.factor);
      vst1q_s32(out + 8 * half, vmlsl_n_s16(low, vget_low_s16(zero), row));
      vst1q_s32(out + 8 * half + 4, vmlsl_high_n_s16(high, zero, row));
    });
  }
};
#endif

}  // namespace
}  // namespace aq
