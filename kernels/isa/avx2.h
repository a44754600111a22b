// SPDX-License-Identifier: Apache-2.0
// AVX2 registers behind the vocabulary of scalar.h. Avx2Base is everything but the dot product; Avx2Wide multiplies in
// 16 bits and is exact for all operands; Avx2Narrow uses maddubs and sums in int16, widened to int32 every widen_steps.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize.h"

namespace aq {
namespace {

AQ_INLINE __m256i Load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
AQ_INLINE __m128i Load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
AQ_INLINE void Store256(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

// Returns acc plus the products of a and w: in one piece and in order (volatile), as compilers would put off additions
// of several steps and run out of registers.
#define AQ_MULTIPLY_ADD(multiply, add, acc, a, w)                                                               \
  __m256i products;                                                                                             \
  __asm__ volatile(multiply " %2, %3, %1\n\t" add " %1, %0, %0" : "+x"(acc), "=&x"(products) : "x"(w), "x"(a)); \
  return acc

struct Avx2Base {
  // ---- Matrix multiply ----
  static constexpr int kAccRows = 1, kAccCols = 8, kKr = 4, kBytes = 32;
  static constexpr int kActivationFlip = 0;
  using Acc = __m256i;
  using Bytes = __m256i;
  using Codebook = __m256i;

  static AQ_INLINE Acc LoadBias(const int32_t* p) { return Load256(p); }
  static AQ_INLINE Codebook LoadCodebook(const int8_t* p) { return _mm256_broadcastsi128_si256(Load128(p)); }
  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) { return Load256(p); }
  // One byte shuffle decodes any 16-entry codebook.
  template <int kBits, int kPlane>
  static AQ_INLINE __m256i UnpackBytes(__m256i b, Codebook codebook) {
    if constexpr (kBits == 8) {
      return b;
    } else {
      const __m256i mask = _mm256_set1_epi8((1 << kBits) - 1);
      return _mm256_shuffle_epi8(codebook, _mm256_and_si256(_mm256_srli_epi16(b, kBits * kPlane), mask));
    }
  }
  static AQ_INLINE __m256i Broadcast4(const uint8_t* p) {
    int32_t v;
    std::memcpy(&v, p, 4);
    return _mm256_set1_epi32(v);
  }
  static AQ_INLINE void StoreAcc(Acc acc, int32_t* out, size_t /*stride*/) { Store256(out, acc); }

  // ---- Sixteen columns at a time ----
  struct I32x16 {
    __m256i low, high;  // columns 0-7, 8-15
  };
  using Codes = __m128i;

  static AQ_INLINE I32x16 Load(const int32_t* p) { return {Load256(p), Load256(p + 8)}; }
  static AQ_INLINE void Store(int32_t* p, I32x16 a) {
    Store256(p, a.low);
    Store256(p + 8, a.high);
  }
  static AQ_INLINE I32x16 Set(int32_t value) { return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)}; }
  static AQ_INLINE Codes LoadCodes(const uint8_t* p) { return Load128(p); }
  static AQ_INLINE void StoreCodes(uint8_t* p, Codes a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a); }
  static AQ_INLINE I32x16 Widen(Codes a) {
    return {_mm256_cvtepu8_epi32(a), _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8))};
  }
  static AQ_INLINE I32x16 Add(I32x16 a, I32x16 b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
  }
  static AQ_INLINE I32x16 Multiply(I32x16 a, I32x16 b) {
    return {_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
  }
  static AQ_INLINE I32x16 ShiftLeft(I32x16 a, I32x16 by) {
    return {_mm256_sllv_epi32(a.low, by.low), _mm256_sllv_epi32(a.high, by.high)};
  }
  static AQ_INLINE I32x16 ShiftRight(I32x16 a, I32x16 by) {
    return {_mm256_srav_epi32(a.low, by.low), _mm256_srav_epi32(a.high, by.high)};
  }
  template <int kBy>
  static AQ_INLINE I32x16 ShiftRight(I32x16 a) {
    return {_mm256_srai_epi32(a.low, kBy), _mm256_srai_epi32(a.high, kBy)};
  }
  // mul_epi32 takes the even columns; odd ones are moved down first, and their high halves are in place afterwards.
  // Moved by shuffles, which run beside the multiplications and shifts where 64-bit shifts would compete with them.
  static AQ_INLINE __m256i OddDown(__m256i a) { return _mm256_shuffle_epi32(a, 0xF5); }
  static AQ_INLINE __m256i MultiplyHigh8(__m256i a, __m256i b) {
    const __m256i even = _mm256_mul_epi32(a, b), odd = _mm256_mul_epi32(OddDown(a), OddDown(b));
    return _mm256_blend_epi32(OddDown(even), odd, 0xAA);
  }
  static AQ_INLINE I32x16 MultiplyHigh(I32x16 a, I32x16 b) {
    return {MultiplyHigh8(a.low, b.low), MultiplyHigh8(a.high, b.high)};
  }
  static AQ_INLINE I32x16 ClampTo(I32x16 a, int32_t high) {
    const __m256i zero = _mm256_setzero_si256(), top = _mm256_set1_epi32(high);
    return {_mm256_min_epi32(_mm256_max_epi32(a.low, zero), top),
            _mm256_min_epi32(_mm256_max_epi32(a.high, zero), top)};
  }
  // Two vectors of 16-bit columns 0-3, 8-11 | 4-7, 12-15 (as packs leaves them) in order.
  static AQ_INLINE __m256i InOrder(__m256i packed) { return _mm256_permute4x64_epi64(packed, 0xD8); }
  static AQ_INLINE __m128i NarrowToBytes(__m256i a) {
    return _mm_packus_epi16(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  }
  static AQ_INLINE __m256i CountAbove8(__m256i a, __m256i t0, __m256i t1, __m256i t2) {
    const __m256i minus = _mm256_add_epi32(_mm256_add_epi32(_mm256_cmpgt_epi32(a, t0), _mm256_cmpgt_epi32(a, t1)),
                                           _mm256_cmpgt_epi32(a, t2));
    return _mm256_sub_epi32(_mm256_setzero_si256(), minus);
  }
  static AQ_INLINE Codes CountAbove(I32x16 a, I32x16 t0, I32x16 t1, I32x16 t2) {
    return NarrowToBytes(InOrder(_mm256_packs_epi32(CountAbove8(a.low, t0.low, t1.low, t2.low),
                                                    CountAbove8(a.high, t0.high, t1.high, t2.high))));
  }
  static AQ_INLINE Codes ClampCodes(I32x16 a) { return NarrowToBytes(InOrder(_mm256_packs_epi32(a.low, a.high))); }
  static AQ_INLINE Codes Maximum(Codes a, Codes b) { return _mm_max_epu8(a, b); }

  // ---- The border rule ----
  struct Rounding {
    __m128i border, border_shift;
    __m256i top;
  };
  static AQ_INLINE Rounding LoadRounding(const Requantize& rq) {
    return {Load128(rq.border), _mm_cvtsi32_si128(rq.border_shift),
            _mm256_set1_epi16(static_cast<short>(rq.max_level << kFractionBits))};
  }
  static AQ_INLINE Codes Round(I32x16 value, const Rounding& rounding) {
    // packus clamps to [0, 65535], which min brings down to the top level.
    const __m256i v = _mm256_min_epu16(InOrder(_mm256_packus_epi32(value.low, value.high)), rounding.top);
    const __m128i level = NarrowToBytes(_mm256_srli_epi16(v, kFractionBits));
    const __m128i frac = NarrowToBytes(_mm256_and_si256(v, _mm256_set1_epi16(255)));
    const __m128i index = _mm_and_si128(_mm_srl_epi16(level, rounding.border_shift), _mm_set1_epi8(15));
    const __m128i border = _mm_shuffle_epi8(rounding.border, index);
    const __m128i up = _mm_min_epu8(_mm_subs_epu8(frac, border), _mm_set1_epi8(1));  // frac > border
    return _mm_add_epi8(level, up);
  }

  // Two blocks in one go: half the instructions of the byte part.
  struct CodePair {
    Codes first, second;
  };
  // Words clamped to [0, 65535], in packus's order: a of codes 0-7, 16-23, b of 8-15, 24-31.
  static AQ_INLINE __m256i RoundWords(__m256i a, __m256i b, const Rounding& rounding) {
    const __m256i v = _mm256_min_epu16(a, rounding.top), w = _mm256_min_epu16(b, rounding.top);
    const __m256i low = _mm256_set1_epi16(255);
    const __m256i level = _mm256_packus_epi16(_mm256_srli_epi16(v, kFractionBits), _mm256_srli_epi16(w, kFractionBits));
    const __m256i frac = _mm256_packus_epi16(_mm256_and_si256(v, low), _mm256_and_si256(w, low));
    const __m256i index = _mm256_and_si256(_mm256_srl_epi16(level, rounding.border_shift), _mm256_set1_epi8(15));
    const __m256i border = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(rounding.border), index);
    const __m256i up = _mm256_min_epu8(_mm256_subs_epu8(frac, border), _mm256_set1_epi8(1));
    return _mm256_add_epi8(level, up);
  }
  // From four codes each of a 0, 8, b 0, 8, a 4, 12, b 4, 12.
  static AQ_INLINE CodePair InOrderPair(__m256i mixed) {
    const __m256i codes = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return {_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1)};
  }
  static AQ_INLINE CodePair RoundPair(I32x16 a, I32x16 b, const Rounding& rounding) {
    return InOrderPair(RoundWords(_mm256_packus_epi32(a.low, a.high), _mm256_packus_epi32(b.low, b.high), rounding));
  }
  static AQ_INLINE CodePair ClampPair(I32x16 a, I32x16 b) {
    return InOrderPair(_mm256_packus_epi16(_mm256_packs_epi32(a.low, a.high), _mm256_packs_epi32(b.low, b.high)));
  }

  // ---- Depthwise ----
  // madd multiplies two taps of a channel and adds them; channels stay in unpack's order until the end.
  struct TapSums {
    __m256i low, high;  // channels 0-3, 8-11 | 4-7, 12-15
  };
  static AQ_INLINE TapSums ZeroTaps() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static AQ_INLINE TapSums DotInt16(TapSums sums, __m256i a0, __m256i a1, __m256i w0, __m256i w1) {
    return {
        _mm256_add_epi32(sums.low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a0, a1), _mm256_unpacklo_epi16(w0, w1))),
        _mm256_add_epi32(sums.high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a0, a1), _mm256_unpackhi_epi16(w0, w1)))};
  }
  static AQ_INLINE TapSums DotTap(TapSums sums, const uint8_t* a, const int16_t* w) {
    const __m256i zero = _mm256_setzero_si256();
    return DotInt16(sums, _mm256_cvtepu8_epi16(Load128(a)), zero, Load256(w), zero);
  }
  static AQ_INLINE TapSums DotTaps(TapSums sums, const uint8_t* a0, const uint8_t* a1, const int16_t* w0,
                                   const int16_t* w1) {
    return DotInt16(sums, _mm256_cvtepu8_epi16(Load128(a0)), _mm256_cvtepu8_epi16(Load128(a1)), Load256(w0),
                    Load256(w1));
  }
  static AQ_INLINE I32x16 FinishTaps(TapSums sums) {
    return {_mm256_permute2x128_si256(sums.low, sums.high, 0x20), _mm256_permute2x128_si256(sums.low, sums.high, 0x31)};
  }

  // Narrow: bytes of two taps interleaved, maddubs, int16 sums. Thirty-two channels, in unpack's order until the end,
  // where packs undoes it.
  static constexpr size_t kSumChannels = 32, kSumPixels = 2;
  struct Sums {
    __m256i low, high;  // channels 0-7, 16-23 | 8-15, 24-31
  };
  using TapWeights = Sums;
  // Into registers, to stay there: loads are what the loop over pixels has too many of.
  static AQ_INLINE Sums LoadSums(const int16_t* p) {
    Sums sums = {Load256(p), Load256(p + 16)};
    __asm__("" : "+x"(sums.low), "+x"(sums.high));
    return sums;
  }
  static AQ_INLINE TapWeights LoadTapWeights(const int8_t* p) { return {Load256(p), Load256(p + 32)}; }
  using Taps = __m256i;
  using TapPairs = Sums;
  static AQ_INLINE Taps LoadTaps(const uint8_t* p) { return Load256(p); }
  static AQ_INLINE TapPairs PairTaps(Taps a, Taps b) {
    return {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
  }
  static AQ_INLINE Sums DotTwoTaps(Sums sums, TapPairs taps, TapWeights w) {
    return {_mm256_add_epi16(sums.low, _mm256_maddubs_epi16(taps.low, w.low)),
            _mm256_add_epi16(sums.high, _mm256_maddubs_epi16(taps.high, w.high))};
  }
  static AQ_INLINE void StoreSums(Sums sums, const int32_t* rest, int32_t* acc) {
    const auto store = [&](__m128i v, int at) AQ_LAMBDA {
      Store256(acc + at, _mm256_add_epi32(_mm256_cvtepi16_epi32(v), Load256(rest + at)));
    };
    store(_mm256_castsi256_si128(sums.low), 0);
    store(_mm256_castsi256_si128(sums.high), 8);
    store(_mm256_extracti128_si256(sums.low, 1), 16);
    store(_mm256_extracti128_si256(sums.high, 1), 24);
  }
  struct Scaled {
    I32x16 low, high;  // of the sums' halves, those of unpacklo and of unpackhi
  };
  static AQ_INLINE I32x16 ScaleHalf(__m256i sums, const SumScale& by, int at) {
    const __m256i low = _mm256_mulhi_epi16(sums, Load256(by.low + at));
    const auto scale = [&](__m256i pairs, int i) AQ_LAMBDA {
      const __m256i product = _mm256_madd_epi16(pairs, Load256(by.high + 2 * i));
      return _mm256_srav_epi32(_mm256_add_epi32(product, Load256(by.offset + i)), Load256(by.shift + i));
    };
    return {scale(_mm256_unpacklo_epi16(sums, low), at), scale(_mm256_unpackhi_epi16(sums, low), at + 8)};
  }
  static AQ_INLINE Scaled ScaleSums(Sums sums, const SumScale& by) {
    return {ScaleHalf(sums.low, by, 0), ScaleHalf(sums.high, by, 16)};
  }
  using SumCodes = __m256i;
  using SumRounding = Rounding;
  static AQ_INLINE SumRounding LoadSumRounding(const Requantize& rq) { return LoadRounding(rq); }
  static AQ_INLINE SumCodes ClampSums(const Scaled& codes, SumCodes top) {
    return _mm256_min_epu8(_mm256_packus_epi16(_mm256_packs_epi32(codes.low.low, codes.low.high),
                                               _mm256_packs_epi32(codes.high.low, codes.high.high)),
                           top);
  }
  static AQ_INLINE SumCodes RoundSums(const Scaled& values, const SumRounding& rounding) {
    return RoundWords(_mm256_packus_epi32(values.low.low, values.low.high),
                      _mm256_packus_epi32(values.high.low, values.high.high), rounding);
  }
  static AQ_INLINE SumCodes CountSumsAbove(Sums sums, const int16_t* thresholds) {
    const auto minus = [&](__m256i v, const int16_t* t) AQ_LAMBDA {
      return _mm256_add_epi16(
          _mm256_add_epi16(_mm256_cmpgt_epi16(v, Load256(t)), _mm256_cmpgt_epi16(v, Load256(t + 32))),
          _mm256_cmpgt_epi16(v, Load256(t + 64)));
    };
    return _mm256_abs_epi8(_mm256_packs_epi16(minus(sums.low, thresholds), minus(sums.high, thresholds + 16)));
  }
  static AQ_INLINE SumCodes SetSumCodes(int32_t code) { return _mm256_set1_epi8(static_cast<char>(code)); }
  static AQ_INLINE void StoreSumCodes(uint8_t* p, SumCodes codes) { Store256(p, codes); }

  // ---- Look-up: sixteen 16-entry shuffles; the byte whose high nibble is not the shuffle's own yields 0 ----
  static constexpr size_t kLookupStep = 32;
  static AQ_INLINE void Lookup(const uint8_t* in, const uint8_t* table, uint8_t* out) {
    const __m256i codes = Load256(in);
    __m256i found = _mm256_setzero_si256();
    Unroll<16>([&](auto high) AQ_LAMBDA {
      const __m256i other = _mm256_xor_si256(codes, _mm256_set1_epi8(static_cast<char>(high << 4)));
      const __m256i index = _mm256_adds_epu8(other, _mm256_set1_epi8(0x70));  // bit 7 set unless the nibble matches
      const __m256i row = _mm256_broadcastsi128_si256(Load128(table + high * 16));
      found = _mm256_or_si256(found, _mm256_shuffle_epi8(row, index));
    });
    Store256(out, found);
  }
};

struct Avx2Wide : Avx2Base {
  struct Weights {
    __m256i even, odd;
  };
  struct Act {
    __m256i even, odd;
  };
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    const __m256i v = UnpackBytes<kBits, kPlane>(b, codebook);
    return {_mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8), _mm256_srai_epi16(v, 8)};
  }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) {
    const __m256i v = Broadcast4(row[0] + k);
    return {_mm256_and_si256(v, _mm256_set1_epi16(255)), _mm256_srli_epi16(v, 8)};
  }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) {
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(a.even, w.even));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a.odd, w.odd));
  }
};

// Weights and activations in 16 bits already, by a panel decoder and the gathering driver.
struct Avx2Wide16 : Avx2Base {
  static constexpr int kKr = 2, kStepsAtOnce = 4;
  using Weights = __m256i;
  using Act = __m256i;
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook /*codebook*/) {
    return b;
  }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) { return Broadcast4(row[0] + 2 * k); }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) { AQ_MULTIPLY_ADD("vpmaddwd", "vpaddd", acc, a, w); }
};

// Decodes for it.
struct Avx2To16 : Avx2Base {
  struct Weights {
    __m256i low, high;
  };
  static AQ_INLINE Weights Widen(__m256i v) {
    return {_mm256_cvtepi8_epi16(_mm256_castsi256_si128(v)), _mm256_cvtepi8_epi16(_mm256_extracti128_si256(v, 1))};
  }
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    return Widen(UnpackBytes<kBits, kPlane>(b, codebook));
  }
  static AQ_INLINE Weights LoadZeroPoints(const int8_t* p) { return Widen(Load256(p)); }
  static AQ_INLINE Weights Subtract(Weights a, Weights b) {
    return {_mm256_sub_epi16(a.low, b.low), _mm256_sub_epi16(a.high, b.high)};
  }
  static AQ_INLINE void StoreWeights(uint8_t* p, Weights w) {
    Store256(p, w.low);
    Store256(p + 32, w.high);
  }
};

struct Avx2Narrow : Avx2Base {
  static constexpr int kStepsAtOnce = 4;
  using Weights = __m256i;
  using Act = __m256i;
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    return UnpackBytes<kBits, kPlane>(b, codebook);
  }
  static AQ_INLINE Weights LoadZeroPoints(const int8_t* p) { return Load256(p); }
  static AQ_INLINE Weights Subtract(Weights a, Weights b) { return _mm256_sub_epi8(a, b); }
  static AQ_INLINE void StoreWeights(uint8_t* p, Weights w) { Store256(p, w); }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) { return Broadcast4(row[0] + k); }
  // An accumulator is eight columns of two int16 sums each: of the products with k % 4 in {0, 1} and in {2, 3}.
  static AQ_INLINE Acc ZeroAcc() { return _mm256_setzero_si256(); }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) { AQ_MULTIPLY_ADD("vpmaddubsw", "vpaddw", acc, a, w); }
  static AQ_INLINE void AddWidened(Acc acc, const int32_t* from, int32_t* out) {
    Store256(out, _mm256_add_epi32(Load256(from), _mm256_madd_epi16(acc, _mm256_set1_epi16(1))));
  }
};

// Looks up pairs. The packer orders columns (pack.cc) so that even bytes are columns 0-3, 8-11 | 4-7, 12-15 and odd
// bytes the same of the next sixteen: unpacking to 32 bits then leaves them in order.
struct Avx2Pairs : Avx2Base {
  static constexpr int kAccCols = 32, kKr = 1;
  using Pairs = __m256i;
  using PairRow = __m256i;
  using ByteSums = __m256i;
  struct PairFactors {
    __m256i v[4];  // of eight columns each: factor, zero point
  };
  static constexpr size_t kPackCodes = 32;
  using CodeSums = __m256i;
  static AQ_INLINE CodeSums ZeroCodeSums() { return _mm256_setzero_si256(); }
  static AQ_INLINE CodeSums PackCodes(CodeSums sums, const uint8_t* codes, uint8_t* pairs) {
    const __m256i a = Load256(codes);
    StoreCodes(pairs, NarrowToBytes(_mm256_maddubs_epi16(a, _mm256_set1_epi16(16 | 64 << 8))));
    return _mm256_add_epi64(sums, _mm256_sad_epu8(a, _mm256_setzero_si256()));
  }
  static AQ_INLINE uint16_t TotalOf(CodeSums sums) {
    const __m128i halves = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return static_cast<uint16_t>(_mm_cvtsi128_si32(_mm_add_epi64(halves, _mm_unpackhi_epi64(halves, halves))));
  }

  template <int kBits, int kStep>
  static AQ_INLINE Pairs UnpackPairs(Bytes b) {
    if constexpr (kBits == 4) return b;
    return _mm256_and_si256(kStep == 0 ? b : _mm256_srli_epi16(b, 4), _mm256_set1_epi8(15));
  }
  static AQ_INLINE void StorePairs(uint8_t* p, Pairs a) { Store256(p, a); }
  static AQ_INLINE PairRow LoadPairRow(const uint8_t* products) {
    return _mm256_broadcastsi128_si256(Load128(products));
  }
  static AQ_INLINE ByteSums StartBytes(uint8_t value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  static AQ_INLINE ByteSums LookUpPairs(PairRow products, Pairs index) { return _mm256_shuffle_epi8(products, index); }
  // _mm256_add_epi8; but gcc would add results of two steps to each other first and run out of registers.
  static AQ_INLINE ByteSums AddBytes(ByteSums sums, ByteSums found) {
    __asm__("vpaddb %1, %0, %0" : "+x"(sums) : "x"(found));
    return sums;
  }
  // Sixteen words of both bytes as they are, even + 256 * odd, then sixteen of the odd bytes: one instruction less than
  // taking them apart each time.
  static AQ_INLINE void StartWords(uint16_t* words, uint16_t value) {
    Store256(words, _mm256_set1_epi16(static_cast<short>(value * 257)));
    Store256(words + 16, _mm256_set1_epi16(static_cast<short>(value)));
  }
  static AQ_INLINE void AddToWords(ByteSums sums, uint16_t* words) {
    Store256(words, _mm256_add_epi16(Load256(words), sums));
    Store256(words + 16, _mm256_add_epi16(Load256(words + 16), _mm256_srli_epi16(sums, 8)));
  }
  static AQ_INLINE PairFactors LoadPairFactors(int16_t factor, const int32_t* zero_points) {
    const __m256i low = _mm256_set1_epi32(factor);  // never negative
    PairFactors f = {{low, low, low, low}};
    if (zero_points == nullptr) return f;
    Unroll<4>([&](auto i)
                  AQ_LAMBDA { f.v[i] = _mm256_or_si256(low, _mm256_slli_epi32(Load256(zero_points + 8 * i), 16)); });
    return f;
  }
  static AQ_INLINE void FinishWords(const uint16_t* words, const PairFactors& f, int32_t row_sum, const int32_t* bias,
                                    int32_t* out) {
    const __m256i both = Load256(words), odd = Load256(words + 16);
    const __m256i even = _mm256_sub_epi16(both, _mm256_slli_epi16(odd, 8));
    const __m256i minus_row = _mm256_set1_epi16(static_cast<short>(-row_sum));
    const __m256i columns[4] = {_mm256_unpacklo_epi16(even, minus_row), _mm256_unpackhi_epi16(even, minus_row),
                                _mm256_unpacklo_epi16(odd, minus_row), _mm256_unpackhi_epi16(odd, minus_row)};
    Unroll<4>([&](auto i) AQ_LAMBDA {
      Store256(out + 8 * i, _mm256_add_epi32(Load256(bias + 8 * i), _mm256_madd_epi16(columns[i], f.v[i])));
    });
  }
};

}  // namespace
}  // namespace aq
