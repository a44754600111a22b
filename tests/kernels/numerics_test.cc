// SPDX-License-Identifier: Apache-2.0
// The executable specification itself: its worked example and the identities the kernels rely on.
#include "kernels/numerics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/kernels/test_data.h"

namespace aq {
namespace {

TEST(Numerics, WorkedExample) {
  const Scaling s{.multiplier = 1690499128, .shift = -2, .offset = 2 << 8};
  EXPECT_EQ(ScaleOne(345, s), 1598);
  Rounding rounding{.bits = 4};
  EXPECT_EQ(RequantizeOne(345, s, rounding), 6);
  rounding.border[6] = 40;
  EXPECT_EQ(RequantizeOne(345, s, rounding), 7);
}

TEST(BorderTable, FilledWith127RoundsHalfUp) {
  const Rounding nearest;
  for (int bits : {2, 4, 8}) {
    for (int32_t v = 0; v <= MaxLevel(bits) << kFractionBits; ++v) {
      ASSERT_EQ(RoundOne(v, nearest.border, BorderShift(bits)), (v + 128) >> kFractionBits) << v;
    }
  }
}

TEST(BorderTable, FilledWith255RoundsDown) {
  uint8_t floor[kBorderEntries];
  std::fill_n(floor, kBorderEntries, uint8_t{255});
  for (int bits : {2, 4, 8}) {
    for (int32_t v = 0; v <= MaxLevel(bits) << kFractionBits; ++v) {
      ASSERT_EQ(RoundOne(v, floor, BorderShift(bits)), v >> kFractionBits) << v;
    }
  }
}

TEST(BorderTable, EqualsItsThresholds) {
  Random random(1);
  for (int repeat = 0; repeat < 50; ++repeat) {
    Rounding rounding{.bits = 2};
    uint16_t thresholds[kThresholds];
    for (int n = 0; n < kThresholds; ++n) {
      rounding.border[n] = repeat == 0 ? uint8_t{0} : repeat == 1 ? uint8_t{255} : random.Byte(255);
      thresholds[n] = static_cast<uint16_t>((n << 8) + rounding.border[n]);
    }
    for (int32_t v = 0; v <= 3 << kFractionBits; ++v) {
      ASSERT_EQ(RoundOne(v, rounding.border, 0), RoundByThresholds(v, thresholds)) << v;
    }
  }
}

TEST(AccumulatorThreshold, CountsToTheSameCodeForEveryAccumulator) {
  Random random(2);
  for (int repeat = 0; repeat < 40; ++repeat) {
    const Scaling s{.multiplier = static_cast<int32_t>(random.Between(1 << 30, INT32_MAX)),
                    .shift = random.Int(-8, 4),
                    .offset = random.Int(-900, 900)};
    Rounding rounding{.bits = 2};
    for (uint8_t& border : rounding.border) border = random.Byte(255);
    uint16_t explicit_thresholds[kThresholds] = {};
    for (uint16_t& t : explicit_thresholds) t = static_cast<uint16_t>(random.Int(0, 800));
    std::sort(explicit_thresholds, explicit_thresholds + kThresholds);
    const uint16_t* thresholds = repeat % 2 == 0 ? nullptr : explicit_thresholds;
    const int32_t low = -3000, high = 3000;
    int64_t first[kThresholds];
    for (int level = 0; level < kThresholds; ++level) {
      first[level] = AccumulatorThreshold(level, s, rounding, thresholds, low, high);
    }
    for (int32_t acc = low; acc <= high; ++acc) {
      const int code = (acc >= first[0]) + (acc >= first[1]) + (acc >= first[2]);
      ASSERT_EQ(code, RequantizeOne(acc, s, rounding, thresholds)) << "acc " << acc << ", repeat " << repeat;
    }
  }
}

// What kernels compute: everything in 32 bits but one widening product.
int32_t ScaleByShifts(int32_t acc, const Scaling& s, int shift) {
  const int32_t shifted = static_cast<int32_t>(static_cast<uint32_t>(acc) << LeftShift(shift));
  const int32_t high = static_cast<int32_t>((int64_t{shifted} * s.multiplier) >> 32);
  return high >> RightShift(shift);
}

TEST(ScaleOne, EqualsTheShiftFormWheneverScalingFits) {
  Random random(3);
  int64_t checked = 0;
  for (int shift = kMinShift; shift <= kMaxShift; ++shift) {
    for (int repeat = 0; repeat < 200; ++repeat) {
      Scaling s{.multiplier = static_cast<int32_t>(random.Between(1 << 30, INT32_MAX)), .shift = shift};
      if (repeat == 0) s.multiplier = 1 << 30;
      if (repeat == 1) s.multiplier = INT32_MAX;
      for (const bool has_residual : {false, true}) {
        int64_t bound = INT32_MAX;
        while (bound > 0 && !ScalingFits(bound, s, has_residual)) bound /= 2;
        const int effective = has_residual ? shift - kSumExtraBits : shift;
        for (int i = 0; i < 40; ++i) {
          const int64_t edge[] = {-bound, bound, 0, -1, 1, -bound + 1, bound - 1};
          const int64_t acc = i < 7 ? edge[i] : random.Between(-bound, bound);
          if (acc < -bound || acc > bound) continue;
          const int32_t value = static_cast<int32_t>(acc);
          ASSERT_EQ(ScaleByShifts(value, s, effective), MultiplyFloor(value, s.multiplier, effective))
              << "acc " << acc << ", shift " << shift << ", multiplier " << s.multiplier;
          ++checked;
        }
      }
    }
  }
  EXPECT_GT(checked, 500000);
}

TEST(Weights, CodesComeBackAtEveryWidth) {
  Random random(4);
  for (int bits : {2, 4, 8}) {
    std::vector<uint8_t> codes(64), expected;
    for (size_t i = 0; i < 50; ++i) expected.push_back(random.Byte(MaxLevel(bits)));
    for (size_t i = 0; i < 50; ++i) SetCodeAt(codes.data(), i, bits, 0xFF & static_cast<uint8_t>(MaxLevel(bits)));
    for (size_t i = 0; i < 50; ++i) SetCodeAt(codes.data(), i, bits, expected[i]);
    for (size_t i = 0; i < 50; ++i) ASSERT_EQ(CodeAt(codes.data(), i, bits), expected[i]) << bits << " bits, " << i;
  }
  EXPECT_EQ(SignedCode(3, 2), -1);
  EXPECT_EQ(SignedCode(8, 4), -8);
  EXPECT_EQ(SignedCode(7, 4), 7);
  EXPECT_EQ(SignedCode(128, 8), -128);
  const int8_t codebook[4] = {-128, -1, 2, 127};
  EXPECT_EQ(DecodeWeight(0, 2, codebook), -128);
  EXPECT_EQ(DecodeWeight(3, 2, codebook), 127);
}

TEST(AccumulatorBound, AddsMagnitudes) {
  AccumulatorBound bound;
  bound.Add(-128, 255);
  bound.Add(127, 255);
  EXPECT_EQ(bound.sum, 255 * 255);
}

}  // namespace
}  // namespace aq
