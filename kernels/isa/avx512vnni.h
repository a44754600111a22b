// SPDX-License-Identifier: Apache-2.0
// AVX512-VNNI: the four-byte dot product on 512-bit registers. Rounding keeps one value per 32-bit lane, since a
// permutation of lanes reads sixteen borders at once; bytes and depthwise sums are AVX2's.
#pragma once

// gcc 12 believes its own intrinsics to read uninitialised registers (gcc bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include "kernels/isa/avx2.h"

namespace aq {
namespace {

struct Avx512Vnni : Avx2Base {
  static constexpr int kAccCols = 16, kBytes = 64, kStepsAtOnce = 4;
  using Acc = __m512i;
  using Bytes = __m512i;
  using Codebook = __m512i;
  using Weights = __m512i;
  using Act = __m512i;

  static AQ_INLINE Acc LoadBias(const int32_t* p) { return _mm512_loadu_si512(p); }
  static AQ_INLINE Codebook LoadCodebook(const int8_t* p) { return _mm512_broadcast_i32x4(Load128(p)); }
  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    if constexpr (kBits == 8) {
      return b;
    } else {
      const __m512i mask = _mm512_set1_epi8((1 << kBits) - 1);
      return _mm512_shuffle_epi8(codebook, _mm512_and_si512(_mm512_srli_epi16(b, kBits * kPlane), mask));
    }
  }
  static AQ_INLINE Weights LoadZeroPoints(const int8_t* p) { return _mm512_loadu_si512(p); }
  static AQ_INLINE Weights Subtract(Weights a, Weights b) { return _mm512_sub_epi8(a, b); }
  static AQ_INLINE void StoreWeights(uint8_t* p, Weights w) { _mm512_storeu_si512(p, w); }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) {
    int32_t v;
    std::memcpy(&v, row[0] + k, 4);
    return _mm512_set1_epi32(v);
  }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) { return _mm512_dpbusd_epi32(acc, a, w); }
  static AQ_INLINE void StoreAcc(Acc acc, int32_t* out, size_t /*stride*/) { _mm512_storeu_si512(out, acc); }

  // ---- Sixteen columns at a time ----
  using I32x16 = __m512i;
  static AQ_INLINE I32x16 Load(const int32_t* p) { return _mm512_loadu_si512(p); }
  static AQ_INLINE void Store(int32_t* p, I32x16 a) { _mm512_storeu_si512(p, a); }
  static AQ_INLINE I32x16 Set(int32_t value) { return _mm512_set1_epi32(value); }
  static AQ_INLINE I32x16 Widen(Codes a) { return _mm512_cvtepu8_epi32(a); }
  static AQ_INLINE I32x16 Add(I32x16 a, I32x16 b) { return _mm512_add_epi32(a, b); }
  static AQ_INLINE I32x16 Multiply(I32x16 a, I32x16 b) { return _mm512_mullo_epi32(a, b); }
  static AQ_INLINE I32x16 ShiftLeft(I32x16 a, I32x16 by) { return _mm512_sllv_epi32(a, by); }
  static AQ_INLINE I32x16 ShiftRight(I32x16 a, I32x16 by) { return _mm512_srav_epi32(a, by); }
  template <int kBy>
  static AQ_INLINE I32x16 ShiftRight(I32x16 a) {
    return _mm512_srai_epi32(a, kBy);
  }
  static AQ_INLINE I32x16 MultiplyHigh(I32x16 a, I32x16 b) {
    const __m512i even = _mm512_mul_epi32(a, b);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
  }
  static AQ_INLINE I32x16 ClampTo(I32x16 a, int32_t high) {
    return _mm512_min_epi32(_mm512_max_epi32(a, _mm512_setzero_si512()), _mm512_set1_epi32(high));
  }
  static AQ_INLINE Codes CountAbove(I32x16 a, I32x16 t0, I32x16 t1, I32x16 t2) {
    const __m512i one = _mm512_set1_epi32(1);
    __m512i count = _mm512_maskz_mov_epi32(_mm512_cmpgt_epi32_mask(a, t0), one);
    count = _mm512_mask_add_epi32(count, _mm512_cmpgt_epi32_mask(a, t1), count, one);
    count = _mm512_mask_add_epi32(count, _mm512_cmpgt_epi32_mask(a, t2), count, one);
    return _mm512_cvtepi32_epi8(count);
  }

  static AQ_INLINE Codes ClampCodes(I32x16 a) {
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(a, _mm512_setzero_si512()));
  }

  // ---- The border rule, as (v + 255 - border) >> 8 ----
  struct Rounding {
    __m512i up;  // 255 - border
    __m128i level_shift;
    int32_t top;
  };
  static AQ_INLINE Rounding LoadRounding(const Requantize& rq) {
    return {_mm512_sub_epi32(_mm512_set1_epi32(255), _mm512_cvtepu8_epi32(Load128(rq.border))),
            _mm_cvtsi32_si128(rq.border_shift + kFractionBits), rq.max_level << kFractionBits};
  }
  static AQ_INLINE Codes Round(I32x16 value, const Rounding& rounding) {
    const __m512i v = ClampTo(value, rounding.top);
    const __m512i up = _mm512_permutexvar_epi32(_mm512_srl_epi32(v, rounding.level_shift), rounding.up);
    return _mm512_cvtepi32_epi8(_mm512_srli_epi32(_mm512_add_epi32(v, up), kFractionBits));
  }

  static AQ_INLINE I32x16 FinishTaps(TapSums sums) {
    const Avx2Base::I32x16 halves = Avx2Base::FinishTaps(sums);
    return _mm512_inserti64x4(_mm512_castsi256_si512(halves.low), halves.high, 1);
  }

  // ---- Narrow depthwise: AVX2's, on sixty-four channels ----
  static constexpr size_t kSumChannels = 64, kSumPixels = 4;
  struct Sums {
    __m512i low, high;  // channels 0-7, 16-23, 32-39, 48-55 | 8-15, ...
  };
  using TapWeights = Sums;
  static AQ_INLINE Sums LoadSums(const int16_t* p) { return {_mm512_loadu_si512(p), _mm512_loadu_si512(p + 32)}; }
  static AQ_INLINE TapWeights LoadTapWeights(const int8_t* p) {
    return {_mm512_loadu_si512(p), _mm512_loadu_si512(p + 64)};
  }
  using Taps = __m512i;
  using TapPairs = Sums;
  static AQ_INLINE Taps LoadTaps(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static AQ_INLINE TapPairs PairTaps(Taps a, Taps b) {
    return {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)};
  }
  static AQ_INLINE Sums DotTwoTaps(Sums sums, TapPairs taps, TapWeights w) {
    return {_mm512_add_epi16(sums.low, _mm512_maddubs_epi16(taps.low, w.low)),
            _mm512_add_epi16(sums.high, _mm512_maddubs_epi16(taps.high, w.high))};
  }
  static AQ_INLINE void StoreSums(Sums sums, const int32_t* rest, int32_t* acc) {
    const auto store = [&](auto lane) AQ_LAMBDA {
      const __m256i v =
          _mm256_set_m128i(_mm512_extracti32x4_epi32(sums.high, lane), _mm512_extracti32x4_epi32(sums.low, lane));
      const __m512i total = _mm512_add_epi32(_mm512_cvtepi16_epi32(v), _mm512_loadu_si512(rest + 16 * lane));
      _mm512_storeu_si512(acc + 16 * lane, total);
    };
    Unroll<4>(store);
  }
  struct Scaled {
    __m512i v[4];
  };
  static AQ_INLINE void ScaleHalf(__m512i sums, const SumScale& by, int at, __m512i* scaled) {
    const __m512i low = _mm512_mulhi_epi16(sums, _mm512_loadu_si512(by.low + at));
    const auto scale = [&](__m512i pairs, int i) AQ_LAMBDA {
      const __m512i product = _mm512_madd_epi16(pairs, _mm512_loadu_si512(by.high + 2 * i));
      return _mm512_srav_epi32(_mm512_add_epi32(product, _mm512_loadu_si512(by.offset + i)),
                               _mm512_loadu_si512(by.shift + i));
    };
    scaled[0] = scale(_mm512_unpacklo_epi16(sums, low), at);
    scaled[1] = scale(_mm512_unpackhi_epi16(sums, low), at + 16);
  }
  static AQ_INLINE Scaled ScaleSums(Sums sums, const SumScale& by) {
    Scaled scaled;
    ScaleHalf(sums.low, by, 0, scaled.v);
    ScaleHalf(sums.high, by, 32, scaled.v + 2);
    return scaled;
  }
  using SumCodes = __m512i;
  static AQ_INLINE SumCodes ClampSums(const Scaled& codes, SumCodes top) {
    return _mm512_min_epu8(
        _mm512_packus_epi16(_mm512_packs_epi32(codes.v[0], codes.v[1]), _mm512_packs_epi32(codes.v[2], codes.v[3])),
        top);
  }
  // The border rule on bytes, as AVX2's.
  struct SumRounding {
    __m512i border, top;
    __m128i border_shift;
  };
  static AQ_INLINE SumRounding LoadSumRounding(const Requantize& rq) {
    return {_mm512_broadcast_i32x4(Load128(rq.border)),
            _mm512_set1_epi16(static_cast<short>(rq.max_level << kFractionBits)), _mm_cvtsi32_si128(rq.border_shift)};
  }
  static AQ_INLINE SumCodes RoundSums(const Scaled& values, const SumRounding& rounding) {
    const __m512i v = _mm512_min_epu16(_mm512_packus_epi32(values.v[0], values.v[1]), rounding.top);
    const __m512i w = _mm512_min_epu16(_mm512_packus_epi32(values.v[2], values.v[3]), rounding.top);
    const __m512i low = _mm512_set1_epi16(255);
    const __m512i level = _mm512_packus_epi16(_mm512_srli_epi16(v, kFractionBits), _mm512_srli_epi16(w, kFractionBits));
    const __m512i frac = _mm512_packus_epi16(_mm512_and_si512(v, low), _mm512_and_si512(w, low));
    const __m512i index = _mm512_and_si512(_mm512_srl_epi16(level, rounding.border_shift), _mm512_set1_epi8(15));
    const __mmask64 up = _mm512_cmpgt_epu8_mask(frac, _mm512_shuffle_epi8(rounding.border, index));
    return _mm512_mask_add_epi8(level, up, level, _mm512_set1_epi8(1));
  }
  static AQ_INLINE SumCodes CountSumsAbove(Sums sums, const int16_t* thresholds) {
    const auto count = [&](__m512i v, const int16_t* t) AQ_LAMBDA {
      const __m512i one = _mm512_set1_epi16(1);
      __m512i n = _mm512_maskz_mov_epi16(_mm512_cmpgt_epi16_mask(v, _mm512_loadu_si512(t)), one);
      n = _mm512_mask_add_epi16(n, _mm512_cmpgt_epi16_mask(v, _mm512_loadu_si512(t + 64)), n, one);
      return _mm512_mask_add_epi16(n, _mm512_cmpgt_epi16_mask(v, _mm512_loadu_si512(t + 128)), n, one);
    };
    return _mm512_packus_epi16(count(sums.low, thresholds), count(sums.high, thresholds + 32));
  }
  static AQ_INLINE SumCodes SetSumCodes(int32_t code) { return _mm512_set1_epi8(static_cast<char>(code)); }
  static AQ_INLINE void StoreSumCodes(uint8_t* p, SumCodes codes) { _mm512_storeu_si512(p, codes); }
};

}  // namespace
}  // namespace aq
