// SPDX-License-Identifier: Apache-2.0
// The vocabulary of an ISA in plain integers: what each operation means. Every other ISA header has the same members.
// Register types and operations only; no loops over data. Sums wrap (unsigned): only the total is proven to fit.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize.h"

namespace aq {
namespace {

AQ_INLINE int32_t WrapAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
AQ_INLINE int32_t WrapMultiply(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

struct Scalar {
  // ---- Matrix multiply: an accumulator holds kAccRows x kAccCols sums, a step consumes kKr activations ----
  static constexpr int kAccRows = 1, kAccCols = 1, kKr = 4, kBytes = 4;  // kBytes of packed weights per vector
  static constexpr int kActivationFlip = 0;                              // added to activations on load
  using Acc = int32_t;
  struct Bytes {
    uint8_t v[4];
  };
  struct Weights {
    int8_t v[4];
  };
  struct Act {
    uint8_t v[4];
  };
  using Codebook = const int8_t*;

  static AQ_INLINE Acc LoadBias(const int32_t* p) { return *p; }
  static AQ_INLINE Codebook LoadCodebook(const int8_t* p) { return p; }
  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) {
    Bytes b;
    std::memcpy(&b, p, 4);
    return b;
  }
  // Plane kPlane of packed bytes: kBits-wide codes through the codebook; 8-bit bytes are values already.
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    Weights w;
    Unroll<4>([&](auto i) AQ_LAMBDA {
      if constexpr (kBits == 8) {
        w.v[i] = static_cast<int8_t>(b.v[i]);
      } else {
        w.v[i] = codebook[b.v[i] >> (kBits * kPlane) & ((1 << kBits) - 1)];
      }
    });
    return w;
  }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) {
    Act a;
    std::memcpy(&a, row[0] + k, 4);
    return a;
  }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) {
    Unroll<4>([&](auto i) AQ_LAMBDA { acc = WrapAdd(acc, int32_t{a.v[i]} * w.v[i]); });
    return acc;
  }
  static AQ_INLINE void StoreAcc(Acc acc, int32_t* out, size_t /*stride*/) { *out = acc; }
  // Optional members; an ISA that has them gets more from the loops:
  // - sums in int16 (gemm_tile.h, kSumsInInt16): Acc ZeroAcc(); void AddWidened(Acc, const int32_t* from, int32_t* to):
  //   to = from + the sums of acc. Then Dot may wrap after GemmTile::widen_steps steps, and LoadBias and StoreAcc are
  //   not needed. The bound counts, per column, sums of the products of adjacent k (0 and 1, 2 and 3, ... of each step
  //   of kKr).
  // - panel decoders (decode_panel.h): Weights LoadZeroPoints(const int8_t*), Weights Subtract(Weights, Weights),
  //   void StoreWeights(uint8_t*, Weights), of kBytes bytes (or twice that for 16-bit weights).
  // - int TilesAtOnce(int rows) (gemm_tile.h): vectors of columns whose sums fit the registers; wider tiles are worked
  //   off in passes, so that their epilogue still has whole blocks of columns.
  // - RoundPair (requantize_row.h): CodePair RoundPair(I32x16, I32x16, Rounding), two calls of Round in one;
  //   and ClampPair(I32x16, I32x16), two of ClampCodes.

  // ---- Sixteen columns at a time ----
  struct I32x16 {
    int32_t v[16];
  };
  struct Codes {
    uint8_t v[16];
  };
  template <class F>
  static AQ_INLINE I32x16 Map(F&& f) {
    I32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = f(i);
    return r;
  }
  static AQ_INLINE I32x16 Load(const int32_t* p) {
    I32x16 r;
    std::memcpy(&r, p, sizeof(r));
    return r;
  }
  static AQ_INLINE void Store(int32_t* p, const I32x16& a) { std::memcpy(p, &a, sizeof(a)); }
  static AQ_INLINE I32x16 Set(int32_t value) {
    return Map([&](int) AQ_LAMBDA { return value; });
  }
  static AQ_INLINE Codes LoadCodes(const uint8_t* p) {
    Codes r;
    std::memcpy(&r, p, sizeof(r));
    return r;
  }
  static AQ_INLINE void StoreCodes(uint8_t* p, const Codes& a) { std::memcpy(p, &a, sizeof(a)); }
  static AQ_INLINE I32x16 Widen(const Codes& a) {
    return Map([&](int i) AQ_LAMBDA { return int32_t{a.v[i]}; });
  }
  static AQ_INLINE I32x16 Add(const I32x16& a, const I32x16& b) {
    return Map([&](int i) AQ_LAMBDA { return WrapAdd(a.v[i], b.v[i]); });
  }
  static AQ_INLINE I32x16 Multiply(const I32x16& a, const I32x16& b) {
    return Map([&](int i) AQ_LAMBDA { return WrapMultiply(a.v[i], b.v[i]); });
  }
  static AQ_INLINE I32x16 ShiftLeft(const I32x16& a, const I32x16& by) {
    return Map([&](int i) AQ_LAMBDA { return static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << by.v[i]); });
  }
  static AQ_INLINE I32x16 ShiftRight(const I32x16& a, const I32x16& by) {
    return Map([&](int i) AQ_LAMBDA { return a.v[i] >> by.v[i]; });
  }
  template <int kBy>
  static AQ_INLINE I32x16 ShiftRight(const I32x16& a) {
    return Map([&](int i) AQ_LAMBDA { return a.v[i] >> kBy; });
  }
  // High 32 bits of the 64-bit product: floor(a * b / 2^32).
  static AQ_INLINE I32x16 MultiplyHigh(const I32x16& a, const I32x16& b) {
    return Map([&](int i) AQ_LAMBDA { return static_cast<int32_t>((int64_t{a.v[i]} * b.v[i]) >> 32); });
  }
  static AQ_INLINE I32x16 ClampTo(const I32x16& a, int32_t high) {
    return Map([&](int i) AQ_LAMBDA { return a.v[i] < 0 ? 0 : a.v[i] > high ? high : a.v[i]; });
  }
  // How many of three thresholds lie below a.
  static AQ_INLINE Codes CountAbove(const I32x16& a, const I32x16& t0, const I32x16& t1, const I32x16& t2) {
    Codes r;
    for (int i = 0; i < 16; ++i) {
      r.v[i] = static_cast<uint8_t>((a.v[i] > t0.v[i]) + (a.v[i] > t1.v[i]) + (a.v[i] > t2.v[i]));
    }
    return r;
  }
  // To [0, 255].
  static AQ_INLINE Codes ClampCodes(const I32x16& a) {
    Codes r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<uint8_t>(Clamp(a.v[i], 0, 255));
    return r;
  }
  static AQ_INLINE Codes Maximum(const Codes& a, const Codes& b) {
    Codes r;
    for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return r;
  }

  // ---- The border rule (numerics.h, QuantizeOne) ----
  struct Rounding {
    const uint8_t* border;
    int32_t border_shift, top;
  };
  static AQ_INLINE Rounding LoadRounding(const Requantize& rq) {
    return {rq.border, rq.border_shift, rq.max_level << kFractionBits};
  }
  static AQ_INLINE Codes Round(const I32x16& value, const Rounding& rounding) {
    const I32x16 v = ClampTo(value, rounding.top);
    Codes r;
    for (int i = 0; i < 16; ++i) {
      const int32_t level = v.v[i] >> kFractionBits;
      const int32_t up = (v.v[i] & 255) > rounding.border[level >> rounding.border_shift];
      r.v[i] = static_cast<uint8_t>(level + up);
    }
    return r;
  }

  // ---- Depthwise: sums over taps of sixteen channels, two taps at a time ----
  using TapSums = I32x16;
  static AQ_INLINE TapSums ZeroTaps() { return Set(0); }
  static AQ_INLINE TapSums DotTap(const TapSums& sums, const uint8_t* a, const int16_t* w) {
    return Map([&](int i) AQ_LAMBDA { return WrapAdd(sums.v[i], int32_t{a[i]} * w[i]); });
  }
  static AQ_INLINE TapSums DotTaps(const TapSums& sums, const uint8_t* a0, const uint8_t* a1, const int16_t* w0,
                                   const int16_t* w1) {
    return DotTap(DotTap(sums, a0, w0), a1, w1);
  }
  static AQ_INLINE I32x16 FinishTaps(const TapSums& sums) { return sums; }

  // ---- Narrow depthwise: int16 sums of kSumChannels channels, two taps at a time, kSumPixels pixels side by side ----
  // Sums wrap, but their totals are proven to fit. What is loaded stands in the kernel's own order (depthwise.h,
  // SumOrder).
  static constexpr size_t kSumChannels = 16, kSumPixels = 1;
  struct Sums {
    int16_t v[16];
  };
  struct TapWeights {
    int8_t first[16], second[16];
  };
  static AQ_INLINE Sums LoadSums(const int16_t* p) {
    Sums r;
    std::memcpy(&r, p, sizeof(r));
    return r;
  }
  static AQ_INLINE TapWeights LoadTapWeights(const int8_t* p) {
    TapWeights r;
    std::memcpy(&r, p, sizeof(r));
    return r;
  }
  using Taps = Codes;
  struct TapPairs {
    Taps first, second;
  };
  static AQ_INLINE Taps LoadTaps(const uint8_t* p) { return LoadCodes(p); }
  static AQ_INLINE TapPairs PairTaps(const Taps& a, const Taps& b) { return {a, b}; }
  static AQ_INLINE Sums DotTwoTaps(Sums sums, const TapPairs& taps, const TapWeights& w) {
    for (int i = 0; i < 16; ++i) {
      sums.v[i] = static_cast<int16_t>(sums.v[i] + taps.first.v[i] * w.first[i] + taps.second.v[i] * w.second[i]);
    }
    return sums;
  }
  // acc = sums + rest, both in the order of channels.
  static AQ_INLINE void StoreSums(const Sums& sums, const int32_t* rest, int32_t* acc) {
    for (int i = 0; i < 16; ++i) acc[i] = WrapAdd(rest[i], sums.v[i]);
  }
  // requantize_sums.h, by each of the three ways: (floor(sums * multiplier) + offset) >> shift ...
  using Scaled = I32x16;
  static AQ_INLINE Scaled ScaleSums(const Sums& sums, const SumScale& by) {
    return Map([&](int i) AQ_LAMBDA {
      const int32_t low = (sums.v[i] * by.low[i]) >> 16;
      return (sums.v[i] * by.high[i] + low + by.offset[i]) >> by.shift[i];
    });
  }
  // ... which are codes, or values for the border rule ...
  using SumCodes = Codes;
  using SumRounding = Rounding;
  static AQ_INLINE SumRounding LoadSumRounding(const Requantize& rq) { return LoadRounding(rq); }
  static AQ_INLINE SumCodes ClampSums(const Scaled& codes, const SumCodes& top) {
    SumCodes r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<uint8_t>(Clamp(codes.v[i], 0, top.v[i]));
    return r;
  }
  static AQ_INLINE SumCodes RoundSums(const Scaled& values, const SumRounding& rounding) {
    return Round(values, rounding);
  }
  // ... or the number of a channel's thresholds [3][kSumChannels] below its sum.
  static AQ_INLINE SumCodes CountSumsAbove(const Sums& sums, const int16_t* t) {
    SumCodes r;
    for (int i = 0; i < 16; ++i) {
      r.v[i] = static_cast<uint8_t>((sums.v[i] > t[i]) + (sums.v[i] > t[16 + i]) + (sums.v[i] > t[32 + i]));
    }
    return r;
  }
  static AQ_INLINE SumCodes SetSumCodes(int32_t code) {
    SumCodes r;
    std::memset(&r, code, sizeof(r));
    return r;
  }
  static AQ_INLINE void StoreSumCodes(uint8_t* p, const SumCodes& codes) { StoreCodes(p, codes); }

  // ---- Look-up of kLookupStep codes in a table of 256 ----
  static constexpr size_t kLookupStep = 1;
  static AQ_INLINE void Lookup(const uint8_t* in, const uint8_t* table, uint8_t* out) { *out = table[*in]; }
};

// ---- Matrix multiply by looking up pairs (lookup_tile.h) ----
// Sums of kAccCols columns in bytes, then in 16-bit words.
struct ScalarPairs : Scalar {
  static constexpr int kKr = 1, kBytes = 1;
  using Bytes = uint8_t;
  using Pairs = uint8_t;           // the codes of two weights of each column
  using PairRow = const uint8_t*;  // sixteen products
  using ByteSums = uint8_t;
  struct PairFactors {
    int32_t factor, zero_point;
  };
  // kPackCodes activations -> half as many bytes 16 * (a0 + 4 * a1); sums += the activations.
  static constexpr size_t kPackCodes = 4;
  using CodeSums = int32_t;
  static AQ_INLINE CodeSums ZeroCodeSums() { return 0; }
  static AQ_INLINE CodeSums PackCodes(CodeSums sums, const uint8_t* codes, uint8_t* pairs) {
    pairs[0] = static_cast<uint8_t>(codes[0] << 4 | codes[1] << 6);
    pairs[1] = static_cast<uint8_t>(codes[2] << 4 | codes[3] << 6);
    return sums + codes[0] + codes[1] + codes[2] + codes[3];
  }
  static AQ_INLINE uint16_t TotalOf(CodeSums sums) { return static_cast<uint16_t>(sums); }

  static AQ_INLINE Bytes LoadBytes(const uint8_t* p) { return *p; }
  // 2: pair kStep of packed codes; 4: bytes are pairs already.
  template <int kBits, int kStep>
  static AQ_INLINE Pairs UnpackPairs(Bytes b) {
    return kBits == 2 ? static_cast<uint8_t>(b >> (4 * kStep) & 15) : b;
  }
  static AQ_INLINE PairRow LoadPairRow(const uint8_t* products) { return products; }  // aligned to 16
  static AQ_INLINE ByteSums StartBytes(uint8_t value) { return value; }
  static AQ_INLINE ByteSums LookUpPairs(PairRow products, Pairs index) { return products[index]; }
  static AQ_INLINE ByteSums AddBytes(ByteSums a, ByteSums b) { return static_cast<uint8_t>(a + b); }
  // Words of kAccCols columns, in an order of the ISA's own: all `value`, += sums. They wrap.
  static AQ_INLINE void StartWords(uint16_t* words, uint16_t value) { *words = value; }
  static AQ_INLINE void AddToWords(ByteSums sums, uint16_t* words) { *words = static_cast<uint16_t>(*words + sums); }
  // Null: zero points are 0.
  static AQ_INLINE PairFactors LoadPairFactors(int16_t factor, const int32_t* zero_points) {
    return {factor, zero_points != nullptr ? *zero_points : 0};
  }
  // out = bias + factor * int16(words) - zero_point * row_sum, columns in order.
  static AQ_INLINE void FinishWords(const uint16_t* words, const PairFactors& f, int32_t row_sum, const int32_t* bias,
                                    int32_t* out) {
    const int32_t sum = f.factor * static_cast<int16_t>(*words) - f.zero_point * row_sum;
    *out = WrapAdd(*bias, sum);
  }
};

}  // namespace
}  // namespace aq
