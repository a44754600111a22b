// SPDX-License-Identifier: Apache-2.0
#include "converter/ranges.h"

#include <gtest/gtest.h>

#include <random>

namespace aq::converter {
namespace {

Histogram HistogramOf(const std::vector<float>& values) {
  Histogram histogram;
  histogram.range = {*std::min_element(values.begin(), values.end()), *std::max_element(values.begin(), values.end())};
  histogram.Add(values);
  return histogram;
}

std::vector<float> Normal(size_t count, float mean, float deviation) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(Ranges, ZeroIsAlwaysExact) {
  for (const int bits : {2, 4, 8}) {
    for (const Range range : {Range{-1, 3}, Range{-0.001f, 5}, Range{2, 4}, Range{-4, -2}, Range{-7, 0}}) {
      const QuantParams params = ParamsFromRange(range, bits);
      EXPECT_GE(params.zero_point, 0);
      EXPECT_LE(params.zero_point, (1 << bits) - 1);
      // Both ends are within half a step of a code.
      EXPECT_NEAR(params.scale * static_cast<float>((1 << bits) - 1 - params.zero_point), std::max(range.high, 0.0f),
                  params.scale * 0.501f);
      EXPECT_NEAR(-params.scale * static_cast<float>(params.zero_point), std::min(range.low, 0.0f),
                  params.scale * 0.501f);
    }
  }
}

TEST(Ranges, NonNegativeTensorsHaveZeroPointZero) {
  EXPECT_EQ(ParamsFromRange({0, 6}, 8).zero_point, 0);
  EXPECT_FLOAT_EQ(ParamsFromRange({0, 6}, 8).scale, 6.0f / 255);
  EXPECT_EQ(ParamsFromRange({0.5f, 6}, 4).zero_point, 0);
}

TEST(Ranges, AllZeroTensorHasAUsableScale) {
  const QuantParams params = ChooseParams(HistogramOf({0, 0, 0}), Ranges::kMse, 4);
  EXPECT_EQ(params.scale, 1);
  EXPECT_EQ(params.zero_point, 0);
}

TEST(Ranges, MinMaxIgnoresHowOftenValuesOccur) {
  std::vector<float> values(1000, 0.5f);
  values.push_back(10);
  values.push_back(-2);
  const QuantParams params = ChooseParams(HistogramOf(values), Ranges::kMinMax, 8);
  EXPECT_FLOAT_EQ(params.scale, 12.0f / 255);
}

TEST(Ranges, PercentileDropsTheTail) {
  // 100,000 values uniform in [0, 1) and 5 outliers: 99.99 % leaves 10 values outside.
  std::vector<float> values;
  for (int i = 0; i < 100000; ++i) values.push_back(static_cast<float>(i) / 100000.0f);
  for (int i = 0; i < 5; ++i) values.push_back(50);
  const Range range = PercentileRange(HistogramOf(values), kPercentile);
  EXPECT_EQ(range.low, 0);
  EXPECT_LT(range.high, 1.1f);
  EXPECT_GT(range.high, 0.9f);
}

TEST(Ranges, MseGridBeatsMinMaxOnANormalDistribution) {
  const Histogram histogram = HistogramOf(Normal(50000, 0, 1));
  constexpr double kNoLimit = 1e300;
  for (const int bits : {2, 4}) {
    const double min_max = QuantizationError(histogram, ChooseParams(histogram, Ranges::kMinMax, bits), kNoLimit);
    const double mse = QuantizationError(histogram, ChooseParams(histogram, Ranges::kMse, bits), kNoLimit);
    EXPECT_LT(mse, min_max * 0.75) << bits;
  }
  // And 8 bits never get worse.
  EXPECT_LE(QuantizationError(histogram, ChooseParams(histogram, Ranges::kMse, 8), kNoLimit),
            QuantizationError(histogram, ChooseParams(histogram, Ranges::kMinMax, 8), kNoLimit));
}

TEST(Ranges, MseGridFollowsSkewedTails) {
  // One outlier on the negative side only: the positive end must not shrink with it.
  std::vector<float> values = Normal(200000, 2, 0.5f);
  values.push_back(-30);
  const QuantParams params = ChooseParams(HistogramOf(values), Ranges::kMse, 4);
  const float low = -params.scale * static_cast<float>(params.zero_point);
  const float high = params.scale * static_cast<float>(15 - params.zero_point);
  EXPECT_GT(low, -6);
  EXPECT_GT(high, 2.9f);
}

TEST(Ranges, AciqClipsALaplaceDistributionWhereTheLiteratureSays) {
  std::mt19937 random(3);
  std::exponential_distribution<float> exponential(2);  // mean deviation 0.5
  std::vector<float> two_sided, one_sided;
  for (int i = 0; i < 200000; ++i) {
    const float x = exponential(random) * (random() % 2 ? 1.0f : -1.0f);
    two_sided.push_back(x);
    one_sided.push_back(std::max(x, 0.0f));
  }
  // 5.03 deviations at 4 bits, 2.83 at 2 bits; after a ReLU those of one bit more.
  EXPECT_NEAR(AciqRange(HistogramOf(two_sided), 4).high, 0.5f * 5.03f, 0.03f);
  EXPECT_NEAR(AciqRange(HistogramOf(two_sided), 2).low, -0.5f * 2.83f, 0.03f);
  const Range relu = AciqRange(HistogramOf(one_sided), 2);
  EXPECT_EQ(relu.low, 0);
  EXPECT_NEAR(relu.high, 0.5f * 3.89f, 0.03f);
}

TEST(Ranges, AciqNeverLeavesTheObservedRange) {
  const Range range = AciqRange(HistogramOf({-0.5f, 0.25f, 0.5f, 1, 0}), 8);
  EXPECT_GE(range.low, -0.5f);
  EXPECT_LE(range.high, 1);
  EXPECT_EQ(AciqRange(HistogramOf({0, 0}), 4).high, 0);
}

TEST(Ranges, CosineFindsTheMostParallelCodes) {
  const Histogram histogram = HistogramOf(Normal(50000, 0, 1));
  for (const int bits : {2, 4, 8}) {
    const double best = CosineDistance(histogram, ChooseParams(histogram, Ranges::kCosine, bits));
    for (const Ranges other : {Ranges::kMinMax, Ranges::kMse, Ranges::kAciq})
      EXPECT_LE(best, CosineDistance(histogram, ChooseParams(histogram, other, bits)) * 1.0001) << bits;
  }
  // Two values, both codes of the best grid: parallel.
  EXPECT_NEAR(CosineDistance(HistogramOf({0, 3, 3, 3}), {2, 1, 0}), 0, 1e-6);
}

TEST(Histogram, MergedPartsEqualTheWhole) {
  const std::vector<float> values = Normal(3001, 1, 2);
  const Histogram whole = HistogramOf(values);
  Histogram merged, part;
  merged.range = part.range = whole.range;
  merged.Add(std::span(values).first(1000));
  part.Add(std::span(values).subspan(1000));
  merged.Merge(part);
  EXPECT_EQ(merged.bins, whole.bins);
  EXPECT_EQ(merged.Total(), 3001u);
}

}  // namespace
}  // namespace aq::converter
