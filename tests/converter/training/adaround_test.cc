// SPDX-License-Identifier: Apache-2.0
#include "converter/training/adaround.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/converter/training/gradient_check.h"

namespace aq::converter::training {
namespace {

constexpr int64_t kOut = 4;
const Shape kShape{kOut, 3, 3, 3};

// 4-bit asymmetric codes; the last channel's step is too small for its weights, so codes clip.
WeightQuantizer Example(const std::vector<float>& weights) {
  const std::vector<float> scale = {0.13f, 0.2f, 0.15f, 0.05f};
  const std::vector<float> zero_point = {0, -2, 3, 1};
  return MakeWeightQuantizer(kShape, weights, scale, zero_point, -8, 7);
}
std::vector<float> Weights() { return Uniform(108, -0.8f, 0.8f, 11); }

TEST(AdaRound, StartsAtTheFloatWeights) {
  const std::vector<float> weights = Weights();
  WeightQuantizer q = Example(weights);
  Tape tape(1);
  const Var w = RoundedWeights(&tape, &q, WeightRounding::kSoft);
  for (size_t i = 0; i < 27; ++i) EXPECT_NEAR(tape.value(w)[i], weights[i], 1e-5);
}

TEST(AdaRound, HardeningFollowsTheSignOfAlpha) {
  WeightQuantizer q = Example(Weights());
  q.alpha.value = Uniform(108, -1, 1, 12);
  q.alpha.value[0] = 0;
  Tape tape(1);
  const Var w = RoundedWeights(&tape, &q, WeightRounding::kHard);
  const std::vector<int8_t> codes = HardCodes(q);
  bool up = false, down = false, clipped = false;
  for (size_t i = 0; i < 108; ++i) {
    const int n = static_cast<int>(i / 27), zero = static_cast<int>(q.zero_point[static_cast<size_t>(n)]);
    const int wanted = static_cast<int>(q.base[i]) + (q.alpha.value[i] >= 0 ? 1 : 0) + zero;
    ASSERT_EQ(codes[i], std::clamp(wanted, -8, 7)) << i;
    ASSERT_EQ(tape.value(w)[i], q.scale.value[static_cast<size_t>(n)] * static_cast<float>(codes[i] - zero));
    (q.alpha.value[i] >= 0 ? up : down) = true;
    clipped = clipped || codes[i] != wanted;
  }
  EXPECT_TRUE(up && down && clipped);
}

TEST(AdaRound, LevelsStartAtTheHardCodesAndRoundToNearest) {
  WeightQuantizer q = Example(Weights());
  q.alpha.value = Uniform(108, -1, 1, 12);
  const std::vector<int8_t> hard = HardCodes(q);
  StartLevels(&q);
  EXPECT_EQ(HardCodes(q), hard);
  for (float& level : q.level.value) level += 0.7f;
  Tape tape(1);
  const Var straight = RoundedWeights(&tape, &q, WeightRounding::kStraightThrough);
  const Var as_stored = RoundedWeights(&tape, &q, WeightRounding::kHard);
  const std::vector<int8_t> moved = HardCodes(q);
  for (size_t i = 0; i < 108; ++i) {
    ASSERT_EQ(moved[i], std::min(hard[i] + 1, 7)) << i;
    const float level = static_cast<float>(moved[i]) - q.zero_point[i / 27];
    ASSERT_EQ(tape.value(straight)[i], q.scale.value[i / 27] * level);
    ASSERT_EQ(tape.value(as_stored)[i], tape.value(straight)[i]);
  }
}

// The estimator is exact for the scale; for a level it is the scale inside the codes and 0 beyond them.
TEST(AdaRound, ScalesStayPositive) {
  const std::vector<float> weights = {0.5f, -1.0f, 2.0f, 0.25f}, scale = {0.5f, 0.25f}, zero = {0, 0};
  WeightQuantizer q = MakeWeightQuantizer({2, 2}, weights, scale, zero, -8, 7);
  q.scale.value = {-0.01f, 0.125f};
  Project(&q);
  EXPECT_EQ(q.scale.value, (std::vector<float>{0.5f / 16, 0.125f}));
}

TEST(AdaRound, StraightThroughGradients) {
  WeightQuantizer q = Example(Weights());
  q.scale.is_trained = true;
  StartLevels(&q);
  q.level.value[0] = 30;  // above every code
  q.level.value[27] = q.zero_point[1] * -1 + 3.2f;
  Tape tape(1);
  const Var w = RoundedWeights(&tape, &q, WeightRounding::kStraightThrough);
  const std::vector<float> gradient = Uniform(108, -1, 1, 13);
  tape.Backward(w, gradient);
  EXPECT_EQ(q.level.gradient[0], 0);
  EXPECT_EQ(q.level.gradient[27], gradient[27] * q.scale.value[1]);
  for (size_t n = 0; n < 4; ++n) {
    double wanted = 0;
    for (size_t i = n * 27; i < (n + 1) * 27; ++i)
      wanted += static_cast<double>(gradient[i]) * static_cast<double>(tape.value(w)[i] / q.scale.value[n]);
    EXPECT_NEAR(q.scale.gradient[n], wanted, 1e-4) << n;
  }
}

TEST(AdaRound, SaturatedAlphaIsTheHardWeight) {
  WeightQuantizer q = Example(Weights());
  q.alpha.value = Uniform(108, -1, 1, 12);
  for (float& a : q.alpha.value) a = a >= 0 ? 5.0f : -5.0f;
  Tape tape(1);
  const Var soft = RoundedWeights(&tape, &q, WeightRounding::kSoft);
  const Var hard = RoundedWeights(&tape, &q, WeightRounding::kHard);
  for (size_t i = 0; i < 108; ++i) ASSERT_EQ(tape.value(soft)[i], tape.value(hard)[i]);
}

// The quantiser owns its leaves: copy the values under test into it and the gradients out.
void CheckQuantizer(bool learns_step, const std::function<Var(Tape*, WeightQuantizer*)>& build) {
  WeightQuantizer q = Example(Weights());
  q.alpha.value = Uniform(108, -1.8f, 1.8f, 12);  // inside the sigmoid's unclipped part
  q.scale.is_trained = learns_step;
  Tape tape(1);
  const std::vector<float> g = Uniform(108, -1, 1, 13);
  const auto loss = [&] {
    tape.Reset();
    const Var w = build(&tape, &q);
    double sum = 0;
    for (int64_t i = 0; i < tape.count(w); ++i) sum += double{g[static_cast<size_t>(i)]} * tape.value(w)[i];
    return sum;
  };
  tape.Reset();
  const Var w = build(&tape, &q);
  tape.Backward(w, std::span(g).first(static_cast<size_t>(tape.count(w))));
  const auto check = [&](Parameter& p, float delta) {
    const std::vector<float> analytic = p.gradient;
    for (size_t i = 0; i < p.value.size(); ++i) {
      const float kept = p.value[i];
      p.value[i] = kept + delta;
      const double up = loss();
      p.value[i] = kept - delta;
      const double down = loss();
      p.value[i] = kept;
      ASSERT_NEAR(analytic[i], (up - down) / (2 * double{delta}), 2e-3) << i;
    }
  };
  check(q.alpha, 0.01f);
  if (learns_step) check(q.scale, 0.01f);  // linear: the base codes are frozen
  const float largest = *std::max_element(q.alpha.gradient.begin(), q.alpha.gradient.end());
  EXPECT_GT(largest, 1e-2f);
}

TEST(AdaRoundGradient, EqualsFiniteDifferences) {
  for (bool learns_step : {false, true}) {
    CheckQuantizer(learns_step,
                   [](Tape* t, WeightQuantizer* q) { return RoundedWeights(t, q, WeightRounding::kSoft); });
  }
}

TEST(AdaRoundGradient, RegulariserEqualsFiniteDifferences) {
  for (float beta : {2.0f, 4.0f, 20.0f}) {
    CheckQuantizer(false, [&](Tape* t, WeightQuantizer* q) { return RoundingRegulariser(t, q, beta); });
  }
}

TEST(AdaRound, RegulariserIsZeroWhenAllRoundingIsDecided) {
  WeightQuantizer q = Example(Weights());
  for (size_t i = 0; i < 108; ++i) q.alpha.value[i] = i % 2 ? 6.0f : -6.0f;
  Tape tape(1);
  EXPECT_EQ(tape.scalar(RoundingRegulariser(&tape, &q, 3)), 0.0f);
  std::fill(q.alpha.value.begin(), q.alpha.value.end(), 0.0f);
  EXPECT_EQ(tape.scalar(RoundingRegulariser(&tape, &q, 3)), 108.0f);
}

TEST(AdaRound, BetaFallsFrom20To2AfterTheWarmUp) {
  EXPECT_EQ(AnnealedBeta(0, 1000), 0);
  EXPECT_EQ(AnnealedBeta(199, 1000), 0);
  EXPECT_NEAR(AnnealedBeta(200, 1000), 20, 1e-4);
  EXPECT_NEAR(AnnealedBeta(600, 1000), 11, 1e-4);
  EXPECT_NEAR(AnnealedBeta(1000, 1000), 2, 1e-4);
}

}  // namespace
}  // namespace aq::converter::training
