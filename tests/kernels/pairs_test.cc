// SPDX-License-Identifier: Apache-2.0
// What look-up tiles are told at load: the table of products, and how many of them fit a byte. Brute force.
#include "kernels/gemm/pairs.h"

#include <gtest/gtest.h>

#include "kernels/gemm/convolve.h"
#include "tests/kernels/convolution_case.h"

namespace aq {
namespace {

constexpr int kCodebooks[][4] = {{0, 1, -2, -1}, {0, 2, -4, -2},    {-3, -1, 1, 3}, {-7, -1, 0, 2},
                                 {5, 5, 5, 5},   {-128, 127, 0, 1}, {4, 5, 6, 7},   {-9, -6, -3, -12}};

struct Codebook {
  int8_t values[4];
  explicit Codebook(const int (&of)[4]) {
    for (int i = 0; i < 4; ++i) values[i] = static_cast<int8_t>(of[i]);
  }
};

TEST(PairTable, HoldsTheProductsOfAllPairs) {
  for (const auto& of : kCodebooks) {
    const Codebook codebook(of);
    const PairTable table = MakePairTable(codebook.values);
    for (int a0 = 0; a0 < 4; ++a0) {
      for (int a1 = 0; a1 < 4; ++a1) {
        for (int c0 = 0; c0 < 4; ++c0) {
          for (int c1 = 0; c1 < 4; ++c1) {
            const int unit0 = (of[c0] - table.centre) / table.factor, unit1 = (of[c1] - table.centre) / table.factor;
            EXPECT_EQ(unit0 * table.factor + table.centre, of[c0]);
            EXPECT_EQ(table.products[16 * (a0 + 4 * a1) + c0 + 4 * c1], static_cast<uint8_t>(a0 * unit0 + a1 * unit1));
          }
        }
      }
    }
  }
}

TEST(PairTable, MeasuresInTheLargestCommonStep) {
  const auto factor = [](const int(&of)[4]) { return MakePairTable(Codebook(of).values).factor; };
  EXPECT_EQ(factor({0, 1, -2, -1}), 1);
  EXPECT_EQ(factor({0, 2, -4, -2}), 2);  // half steps
  EXPECT_EQ(factor({-3, -1, 1, 3}), 2);
  EXPECT_EQ(factor({-9, -6, -3, -12}), 3);
}

// No run of `steps` pairs, over any activations, may leave [0, 255] from the table's start.
bool Fits(const WeightSource& source, const PairTable& table, size_t steps) {
  const size_t row = source.taps * source.k, pairs = (source.k + 1) / 2, count = source.taps * pairs;
  const auto unit = [&](size_t n, size_t tap, size_t k) {
    if (k >= source.k) return 0;
    const uint8_t code = CodeAt(source.codes, n * row + tap * source.k + k, 2);
    return (DecodeWeight(code, 2, source.codebook) - table.centre) / table.factor;
  };
  for (size_t n = 0; n < source.n; ++n) {
    for (size_t begin = 0; begin < count; ++begin) {
      int low = table.start, high = table.start;
      for (size_t step = begin; step < std::min(begin + steps, count); ++step) {
        for (size_t i = 0; i < 2; ++i) {
          const int u = unit(n, step / pairs, step % pairs * 2 + i);
          (u > 0 ? high : low) += 3 * u;
        }
      }
      if (low < 0 || high > 255) return false;
    }
  }
  return true;
}

TEST(CountLookupSteps, IsTheMostThatFitsAByte) {
  Random random(1);
  for (const auto& of : kCodebooks) {
    const Codebook codebook(of);
    const PairTable table = MakePairTable(codebook.values);
    for (size_t k : {1, 5, 24, 63}) {
      WeightSource source{.bits = 2, .codebook = codebook.values, .n = 3, .taps = 3, .k = k};
      std::vector<uint8_t> codes(source.n * source.taps * k / 4 + 1);
      for (uint8_t& code : codes) code = random.Byte(255);
      source.codes = codes.data();
      const size_t steps = CountLookupSteps(source, 3), least = LeastLookupSteps(source, 3);
      EXPECT_LE(least, steps);
      if (least == 0) {
        EXPECT_EQ(steps, 0);
        continue;
      }
      const size_t count = source.taps * ((k + 1) / 2);
      EXPECT_TRUE(Fits(source, table, steps));
      EXPECT_TRUE(steps >= count || !Fits(source, table, steps + 1)) << steps;
    }
  }
}

TEST(CountLookupSteps, IsTheBoundOfTheCodebookForExtremeWeights) {
  const std::vector<uint8_t> lowest(64, 0xAA);  // all -2
  const WeightSource source{.codes = lowest.data(), .bits = 2, .n = 1, .taps = 1, .k = 256};
  EXPECT_EQ(LeastLookupSteps(source, 3), 14);
  EXPECT_EQ(CountLookupSteps(source, 3), 14);
}

TEST(CountLookupSteps, LeavesOtherLayersAlone) {
  const std::vector<uint8_t> codes(16384);
  WeightSource source{.codes = codes.data(), .bits = 2, .n = 1, .taps = 1, .k = 5461};
  EXPECT_GT(CountLookupSteps(source, 3), 0);
  EXPECT_EQ(CountLookupSteps(source, 15), 0);
  source.k = 5462;  // 3 * 2 * 5462 leaves int16
  EXPECT_EQ(CountLookupSteps(source, 3), 0);
  source.k = 64;
  source.bits = 4;
  EXPECT_EQ(CountLookupSteps(source, 3), 0);
}

TEST(SelectGemm, LooksUpWhereTheLayerSuits) {
  if (!KernelIsas().Has(Isa::kAvx2)) GTEST_SKIP() << "skipped: this build has no x86 kernels";
  const IsaSet avx2 = IsaSet().With(Isa::kAvx2);
  GemmShape shape{.m = 784, .n = 128, .k = 128, .taps = 9, .weight_bits = 2, .max_code = 3, .max_pair = 12};
  EXPECT_EQ(SelectGemm(shape, avx2, Technique::kLookup).kernel, nullptr);
  shape.lookup_steps = 14;
  const GemmChoice choice = SelectGemm(shape, avx2, Technique::kLookup);
  EXPECT_STREQ(choice.kernel->name, "avx2_w2a2lut_5x64");
  EXPECT_EQ(choice.widen_steps, 14);
  EXPECT_STREQ(choice.decoder->name, "avx2_w2_to_4");
  EXPECT_FALSE(LooksUp(*SelectGemm(shape, avx2).kernel));
  EXPECT_LT(GemmCost(choice, shape), GemmCost(SelectGemm(shape, avx2), shape));
  shape.m = 1;
  EXPECT_STREQ(SelectGemm(shape, avx2, Technique::kLookup).kernel->name, "avx2_w2a2lut_1x64");
  shape.lookup_steps = 1;  // a packed byte is two steps
  EXPECT_EQ(SelectGemm(shape, avx2, Technique::kLookup).kernel, nullptr);
}

}  // namespace
}  // namespace aq
