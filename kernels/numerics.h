// SPDX-License-Identifier: Apache-2.0
// The executable specification of aq's arithmetic: plain integers, one value at a time. Every kernel on every ISA and
// the converter's simulation equal these functions bit for bit; FORMAT.md quotes them. Nothing here is fast on purpose.
//
// Worked example (numerics_test.cc executes it): 4-bit output, scale ratio M = s_x * s_w / s_y = 0.0123, zero point 2.
//   M * 256 = 3.1488 = multiplier * 2^-(31 + shift)  ->  shift = -2, multiplier = 1690499128
//   acc = 345:  v = floor(345 * 1690499128 / 2^29) + (2 << 8) = 1086 + 512 = 1598 = level 6, frac 62
//   border[6] = 127: 62 > 127 is false -> code 6;  border[6] = 40: 62 > 40 -> code 7.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aq {

// Fraction bits of a scaled value "v" (Q.8), and of the sum of two scaled branches before its one final shift (Q.12).
inline constexpr int kFractionBits = 8;
inline constexpr int kSumFractionBits = 12;
inline constexpr int kSumExtraBits = kSumFractionBits - kFractionBits;

inline constexpr int kBorderEntries = 16;
inline constexpr uint8_t kNearestBorder = 127;  // frac > 127: round half up

inline constexpr int kMinShift = -15;
inline constexpr int kMaxShift = 31;

constexpr int MaxLevel(int bits) { return (1 << bits) - 1; }
// 2- and 4-bit levels index the 16 borders directly, 8-bit levels by their high nibble.
constexpr int BorderShift(int bits) { return bits <= 4 ? 0 : bits - 4; }
// Thresholds between the levels of a 2-bit tensor.
inline constexpr int kThresholds = 3;

// floor(acc * multiplier / 2^(31 + shift)); multiplier in [2^30, 2^31), shift in [kMinShift, kMaxShift].
constexpr int64_t MultiplyFloor(int64_t acc, int32_t multiplier, int shift) {
  return (acc * multiplier) >> (31 + shift);  // C++20: arithmetic shift, rounds towards minus infinity
}

constexpr int32_t Clamp(int64_t v, int32_t low, int32_t high) {
  return v < low ? low : v > high ? high : static_cast<int32_t>(v);
}

// The adaptive rounding rule. v is Q.8 and already clamped to [0, max_level << 8]; the top level has frac 0.
constexpr uint8_t RoundOne(int32_t v, const uint8_t border[kBorderEntries], int border_shift) {
  const int level = v >> kFractionBits;
  const int frac = v & 255;
  return static_cast<uint8_t>(level + (frac > border[level >> border_shift]));
}

// The same with explicit thresholds (2-bit tensors, per channel): the number of thresholds below v.
// RoundOne is the case thresholds[n] = (n << 8) + border[n].
constexpr uint8_t RoundByThresholds(int32_t v, const uint16_t thresholds[kThresholds]) {
  return static_cast<uint8_t>((v > thresholds[0]) + (v > thresholds[1]) + (v > thresholds[2]));
}

// One channel of a requantisation, as the file states it (model.fbs, Requantize).
struct Scaling {
  int32_t multiplier = 1 << 30;
  int32_t shift = 0;
  int32_t offset = 0;          // Q.8, zero point included
  int32_t ratio = 0;           // Q.12, input 0 of an addition
  int32_t residual_ratio = 0;  // Q.12, input 1 of an addition or the residual of a convolution
};

// Accumulator (bias and zero points folded in) -> Q.8 value, not yet clamped.
constexpr int64_t ScaleOne(int32_t acc, const Scaling& s) {
  return MultiplyFloor(acc, s.multiplier, s.shift) + s.offset;
}

// The same plus a residual branch, `residual` = code - zero point. Both are summed at Q.12; one final floor.
constexpr int64_t ScaleWithResidual(int32_t acc, int32_t residual, const Scaling& s) {
  return (MultiplyFloor(acc, s.multiplier, s.shift - kSumExtraBits) + int64_t{residual} * s.residual_ratio +
          (int64_t{s.offset} << kSumExtraBits)) >>
         kSumExtraBits;
}

// a, b = code - zero point. Addition, and with b = 0 the rescaling of concatenated inputs.
constexpr int64_t AddOne(int32_t a, int32_t b, const Scaling& s) {
  return (int64_t{a} * s.ratio + int64_t{b} * s.residual_ratio + (int64_t{s.offset} << kSumExtraBits)) >> kSumExtraBits;
}

// How one tensor's codes are found from Q.8 values: the part shared by all channels.
struct Rounding {
  int bits = 8;  // 2, 4, 8; 32: v itself is the output, no clamp
  uint8_t border[kBorderEntries] = {127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127};
};

// Q.8 value -> code. `thresholds` (3 entries, the channel's) replaces the border when not null; bits = 2 only.
constexpr int32_t QuantizeOne(int64_t v, const Rounding& r, const uint16_t* thresholds = nullptr) {
  if (r.bits == 32) return static_cast<int32_t>(v);
  const int32_t clamped = Clamp(v, 0, MaxLevel(r.bits) << kFractionBits);
  return thresholds ? RoundByThresholds(clamped, thresholds) : RoundOne(clamped, r.border, BorderShift(r.bits));
}

// Accumulator -> code: the rule of every convolution, dense layer, multiplication and average pool.
constexpr int32_t RequantizeOne(int32_t acc, const Scaling& s, const Rounding& r,
                                const uint16_t* thresholds = nullptr) {
  return QuantizeOne(ScaleOne(acc, s), r, thresholds);
}

// The smallest accumulator in [low, high] whose code exceeds `level`; high + 1 if none does. RequantizeOne is
// non-decreasing in acc, so three of these replace it for 2-bit outputs: code = number of thresholds <= acc.
constexpr int64_t AccumulatorThreshold(int level, const Scaling& s, const Rounding& r, const uint16_t* thresholds,
                                       int32_t low, int32_t high) {
  int64_t below = int64_t{low} - 1, above = int64_t{high} + 1;  // code(below) <= level < code(above), by convention
  while (above - below > 1) {
    const int64_t middle = below + (above - below) / 2;
    (RequantizeOne(static_cast<int32_t>(middle), s, r, thresholds) > level ? above : below) = middle;
  }
  return above;
}

// ---- Weights ---------------------------------------------------------------------------------------------------

// Code number `index` of a dense little-endian array of 2-, 4- or 8-bit fields.
constexpr uint8_t CodeAt(const uint8_t* codes, size_t index, int bits) {
  const size_t bit = index * static_cast<size_t>(bits);
  return static_cast<uint8_t>((codes[bit / 8] >> (bit % 8)) & MaxLevel(bits));
}
constexpr void SetCodeAt(uint8_t* codes, size_t index, int bits, uint8_t code) {
  const size_t bit = index * static_cast<size_t>(bits);
  uint8_t& byte = codes[bit / 8];
  const int mask = MaxLevel(bits) << (bit % 8);
  byte = static_cast<uint8_t>((byte & ~mask) | ((code << (bit % 8)) & mask));
}
// The default codebook: two's complement.
constexpr int8_t SignedCode(uint8_t code, int bits) {
  return static_cast<int8_t>(code >= (1 << (bits - 1)) ? int{code} - (1 << bits) : int{code});
}
constexpr int8_t DecodeWeight(uint8_t code, int bits, const int8_t* codebook) {
  return codebook && bits <= 4 ? codebook[code] : SignedCode(code, bits);
}

// ---- Ranges (proved at conversion, checked again at load; kernels rely on them) ----------------------------------

// Largest |accumulator| of one output channel: sum |w| * max_code + |bias| must stay below 2^31.
struct AccumulatorBound {
  int64_t sum = 0;
  constexpr void Add(int32_t weight, int32_t max_code) {
    sum += (weight < 0 ? -int64_t{weight} : int64_t{weight}) * max_code;
  }
};
// Kernels multiply (acc << LeftShift(shift)) by the multiplier, keep the high 32 bits and shift right: the shifted
// accumulator and the scaled value must both fit int32. `fraction_bits` is 8, or 12 with a residual.
constexpr int LeftShift(int shift) { return shift < 1 ? 1 - shift : 0; }
constexpr int RightShift(int shift) { return shift < 1 ? 0 : shift - 1; }
constexpr bool ScalingFits(int64_t bound, const Scaling& s, bool has_residual) {
  const int shift = has_residual ? s.shift - kSumExtraBits : s.shift;
  constexpr int64_t kLimit = int64_t{1} << 31;
  if (bound >= kLimit || (bound << LeftShift(shift)) >= kLimit) return false;
  const int64_t scaled = MultiplyFloor(bound, s.multiplier, shift) + 1;
  const int64_t offset = int64_t{s.offset < 0 ? -int64_t{s.offset} : int64_t{s.offset}}
                         << (has_residual ? kSumExtraBits : 0);
  return scaled + offset + (has_residual ? int64_t{255} * s.residual_ratio : 0) < kLimit;
}

}  // namespace aq
