// SPDX-License-Identifier: Apache-2.0
#include "converter/training/ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "converter/training/losses.h"
#include "tests/converter/training/gradient_check.h"

namespace aq::converter::training {
namespace {

struct ConvCase {
  const char* name;
  int64_t in_channels, out_channels, groups, height, width;
  Window window;
};

class ConvolutionGradient : public testing::TestWithParam<ConvCase> {};

TEST_P(ConvolutionGradient, EqualsFiniteDifferences) {
  const ConvCase& c = GetParam();
  const Parameter x = RandomParameter({2, c.in_channels, c.height, c.width}, 1);
  const Parameter w =
      RandomParameter({c.out_channels, c.in_channels / c.groups, c.window.kernel_h, c.window.kernel_w}, 2);
  const Parameter b = RandomParameter({c.out_channels}, 3);
  CheckGradients(
      {x, w, b}, [&](Tape* t, const std::vector<Var>& v) { return Conv2d(t, v[0], v[1], v[2], c.window, c.groups); },
      0.5f, 2e-4);
  CheckGradients(
      {x, w}, [&](Tape* t, const std::vector<Var>& v) { return Conv2d(t, v[0], v[1], kNoVar, c.window, c.groups); },
      0.5f, 2e-4);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvolutionGradient,
                         testing::Values(ConvCase{"plain3x3", 16, 16, 1, 8, 8, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}},
                                         ConvCase{"stem", 3, 8, 1, 9, 7, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}},
                                         ConvCase{"pointwise_stride", 5, 7, 1, 6, 6, {1, 1, 2, 2, 1, 1, 0, 0, 0, 0}},
                                         ConvCase{"asymmetric_padding", 4, 6, 1, 7, 8, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1}},
                                         ConvCase{"uneven_window", 3, 5, 1, 7, 9, {1, 5, 1, 2, 1, 1, 0, 2, 0, 1}},
                                         ConvCase{"dilation", 4, 4, 1, 9, 9, {3, 3, 1, 1, 2, 2, 2, 2, 2, 2}},
                                         ConvCase{"groups", 8, 12, 4, 6, 6, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}},
                                         ConvCase{"depthwise", 16, 16, 16, 8, 8, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}},
                                         ConvCase{
                                             "depthwise_odd_dilated", 7, 7, 7, 9, 9, {3, 3, 2, 2, 2, 2, 2, 1, 1, 2}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Convolution, AgreesWithThePlainSum) {
  const Parameter xp = RandomParameter({2, 4, 5, 6}, 1), wp = RandomParameter({6, 2, 3, 3}, 2);
  const Window window{3, 3, 2, 1, 1, 2, 1, 0, 0, 2};
  Tape tape(1);
  const Var out = Conv2d(&tape, tape.Constant(xp.shape, xp.value.data()), tape.Constant(wp.shape, wp.value.data()),
                         kNoVar, window, 2);
  const Shape& s = tape.shape(out);
  ASSERT_EQ(s, (Shape{2, 6, 2, 4}));
  for (int64_t o = 0; o < tape.count(out); ++o) {
    const int64_t n = o / (s[1] * s[2] * s[3]), k = o / (s[2] * s[3]) % s[1], y = o / s[3] % s[2], x = o % s[3];
    double sum = 0;
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 3; ++j) {
          const int64_t row = y * 2 - 1 + i, column = x + 2 * j;
          if (row < 0 || row >= 5 || column >= 6) continue;
          sum += double{xp.value[static_cast<size_t>(((n * 4 + k / 3 * 2 + c) * 5 + row) * 6 + column)]} *
                 wp.value[static_cast<size_t>(((k * 2 + c) * 3 + i) * 3 + j)];
        }
    ASSERT_NEAR(tape.value(out)[o], sum, 1e-5) << o;
  }
}

TEST(DenseGradient, EqualsFiniteDifferences) {
  CheckGradients(
      {RandomParameter({3, 5, 2, 2}, 1), RandomParameter({7, 20}, 2), RandomParameter({7}, 3)},
      [](Tape* t, const std::vector<Var>& v) { return Dense(t, v[0], v[1], v[2]); }, 0.5f, 2e-4);
}

TEST(AddGradient, EqualsFiniteDifferencesAlsoForASum0fAValueWithItself) {
  CheckGradients(
      {RandomParameter({2, 3, 2, 2}, 1), RandomParameter({2, 3, 2, 2}, 2)},
      [](Tape* t, const std::vector<Var>& v) { return Add(t, Add(t, v[0], v[1]), v[0]); }, 0.5f, 1e-4);
}

TEST(MulGradient, EqualsFiniteDifferencesForEveryShapeOfTheFactor) {
  for (const Shape& factor : {Shape{2, 3, 4, 4}, Shape{2, 3, 1, 1}, Shape{1, 3, 1, 1}}) {
    CheckGradients(
        {RandomParameter({2, 3, 4, 4}, 1), RandomParameter(factor, 2)},
        [](Tape* t, const std::vector<Var>& v) { return Mul(t, v[0], v[1]); }, 0.5f, 1e-4);
  }
}

// Values on a grid of odd multiples of 1/32: never within `delta` of the kinks of the functions below.
Parameter AwayFromKinks(const Shape& shape) {
  Parameter p = RandomParameter(shape, 7, -4, 4);
  for (float& v : p.value) v = std::floor(v * 16) / 16 + 1.0f / 32;
  return p;
}

TEST(ElementwiseGradient, EqualsFiniteDifferencesForEveryFunction) {
  for (int f = 0; f <= static_cast<int>(Function::kAffine); ++f) {
    SCOPED_TRACE(f);
    const Function function = static_cast<Function>(f);
    float alpha = 0.25f, beta = 0.5f;
    if (function == Function::kClip) alpha = -1, beta = 2;
    CheckGradients(
        {AwayFromKinks({2, 3, 5, 5})},
        [&](Tape* t, const std::vector<Var>& v) {
          return Apply(t, v[0], {function, alpha, beta});
        },
        0.015f, 3e-3);
  }
}

TEST(ClipGradient, EqualsFiniteDifferences) {
  CheckGradients(
      {AwayFromKinks({2, 3, 5, 5})}, [](Tape* t, const std::vector<Var>& v) { return Clip(t, v[0], 0, 3); }, 0.015f,
      1e-3);
}

TEST(ClipGradient, EqualsFiniteDifferencesForALimitPerChannel) {
  const std::vector<float> high = {3, 1, 40};
  const auto clip = [&](Tape* t, const std::vector<Var>& v) { return Clip(t, v[0], 0, high); };
  CheckGradients({AwayFromKinks({2, 3, 5, 5})}, clip, 0.015f, 1e-3);
  Tape tape(1);
  const std::vector<float> x = {9, -1, 9, 2, 9, 50};  // [1, 3, 2]
  const Var y = Clip(&tape, tape.Constant({1, 3, 2}, x.data()), 0, high);
  EXPECT_EQ(std::vector<float>(tape.value(y), tape.value(y) + 6), (std::vector<float>{3, 0, 1, 1, 9, 40}));
}

TEST(PoolGradient, EqualsFiniteDifferences) {
  // Distinct values at distance 1/8: no maximum changes hands within delta.
  Parameter x({2, 3, 7, 6}, std::vector<float>(252));
  for (size_t i = 0; i < 252; ++i) x.value[i] = static_cast<float>(i * 89 % 252) / 8 - 15;
  const Window window{3, 2, 2, 2, 1, 1, 1, 0, 1, 1}, global{7, 6, 1, 1, 1, 1, 0, 0, 0, 0};
  const Window ceil_mode{3, 3, 2, 2, 1, 1, 0, 1, 1, 1};
  for (const Window& w : {window, global, ceil_mode}) {
    SCOPED_TRACE(w.kernel_h * 10 + w.kernel_w);
    CheckGradients(
        {x}, [&](Tape* t, const std::vector<Var>& v) { return MaxPool(t, v[0], w); }, 0.05f, 1e-3);
    for (bool include : {false, true}) {
      CheckGradients(
          {x}, [&](Tape* t, const std::vector<Var>& v) { return AveragePool(t, v[0], w, include); }, 0.5f, 1e-3);
    }
  }
}

TEST(AveragePool, DividesByTapsInTheImageOrByTheWholeWindow) {
  const std::vector<float> ones(9, 1.0f);
  Tape tape(1);
  const Var x = tape.Constant({1, 1, 3, 3}, ones.data());
  const Window window{3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_FLOAT_EQ(tape.value(AveragePool(&tape, x, window, false))[0], 1.0f);
  EXPECT_FLOAT_EQ(tape.value(AveragePool(&tape, x, window, true))[0], 4.0f / 9);
}

TEST(ShapeOpGradient, EqualsFiniteDifferences) {
  const Parameter x = RandomParameter({2, 3, 4, 5}, 1), y = RandomParameter({2, 2, 4, 5}, 2);
  const Build builds[] = {
      [](Tape* t, const std::vector<Var>& v) {
        return Concat(t, std::vector<Var>{v[0], v[1], v[0]}, 1);
      },
      [](Tape* t, const std::vector<Var>& v) {
        return Slice(t, v[0], std::vector<int64_t>{0, 1, 1, 0}, std::vector<int64_t>{1, 1, 2, 3}, {2, 2, 2, 2});
      },
      [](Tape* t, const std::vector<Var>& v) {
        return Pad(t, v[0], std::vector<int64_t>{0, 1, 2, 0}, std::vector<int64_t>{0, 0, 1, 3});
      },
      [](Tape* t, const std::vector<Var>& v) {
        return Reshape(t, v[0], {2, 60});
      },
      [](Tape* t, const std::vector<Var>& v) {
        return Transpose(t, v[0], std::vector<int64_t>{0, 2, 3, 1});
      },
  };
  for (const Build& build : builds) CheckGradients({x, y}, build, 0.5f, 1e-4);
}

TEST(ShapeOps, MoveTheRightElements) {
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 0.0f);
  Tape tape(1);
  const Var x = tape.Constant({1, 2, 3, 4}, values.data());
  const Var transposed = Transpose(&tape, x, std::vector<int64_t>{0, 2, 3, 1});
  EXPECT_EQ(tape.shape(transposed), (Shape{1, 3, 4, 2}));
  EXPECT_EQ(tape.value(transposed)[2 * 5 + 1], 12.0f + 5);
  const Var slice = Slice(&tape, x, std::vector<int64_t>{0, 1, 0, 1}, std::vector<int64_t>{1, 1, 2, 2}, {1, 1, 2, 2});
  EXPECT_EQ(std::vector<float>(tape.value(slice), tape.value(slice) + 4), (std::vector<float>{13, 15, 21, 23}));
  const Var pad = Pad(&tape, x, std::vector<int64_t>{0, 0, 1, 1}, std::vector<int64_t>{0, 0, 0, 0});
  EXPECT_EQ(tape.shape(pad), (Shape{1, 2, 4, 5}));
  EXPECT_EQ(tape.value(pad)[5], 0);
  EXPECT_EQ(tape.value(pad)[20 + 6], 12);
  const Var concat = Concat(&tape, std::vector<Var>{x, x}, 2);
  EXPECT_EQ(tape.value(concat)[12], 0);
  EXPECT_EQ(tape.value(concat)[24], 12);
}

TEST(LossGradient, EqualsFiniteDifferences) {
  const std::vector<float> target = Uniform(60, -1, 1, 5);
  CheckGradients(
      {RandomParameter({2, 5, 3, 2}, 1)},
      [&](Tape* t, const std::vector<Var>& v) {
        return MeanSquaredError(t, v[0], t->Constant({2, 5, 3, 2}, target.data()));
      },
      0.1f, 1e-4);
  CheckGradients(
      {RandomParameter({6, 10}, 1, -3, 3)},
      [&](Tape* t, const std::vector<Var>& v) {
        return SoftenedDivergence(t, v[0], t->Constant({6, 10}, target.data()), 2.0f);
      },
      0.02f, 1e-4);
}

TEST(Losses, HaveTheStatedNormalisation) {
  const std::vector<float> p = {1, 2, 3, 4, 5, 6, 7, 8}, t(8, 0.0f);
  Tape tape(1);
  const Var x = tape.Constant({1, 2, 2, 2}, p.data()), zero = tape.Constant({1, 2, 2, 2}, t.data());
  const Var mse = MeanSquaredError(&tape, x, zero);
  EXPECT_FLOAT_EQ(tape.scalar(mse), 204.0f / 4);  // sum of squares over 4 pixels
  const std::vector<float> logits = {2, 0}, even = {0, 0};
  const Var kl = SoftenedDivergence(&tape, tape.Constant({1, 2}, even.data()), tape.Constant({1, 2}, logits.data()), 2);
  const double q = 1 / (1 + std::exp(-1.0));
  EXPECT_NEAR(tape.scalar(kl), 4 * (q * std::log(2 * q) + (1 - q) * std::log(2 * (1 - q))), 1e-6);
  const WeightedTerm terms[] = {{mse, 0.5f}, {kl, 2.0f}};
  EXPECT_FLOAT_EQ(tape.scalar(WeightedSum(&tape, terms)), 0.5f * tape.scalar(mse) + 2 * tape.scalar(kl));
}

TEST(WeightedSumGradient, EqualsFiniteDifferences) {
  CheckGradients(
      {RandomParameter({1}, 1), RandomParameter({1}, 2)},
      [](Tape* t, const std::vector<Var>& v) {
        const WeightedTerm terms[] = {{v[0], 0.5f}, {v[1], -3.0f}, {v[0], 1.0f}};
        return WeightedSum(t, terms);
      },
      0.5f, 1e-4);
}

}  // namespace
}  // namespace aq::converter::training
