// SPDX-License-Identifier: Apache-2.0
#include "converter/training/fake_quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/converter/training/gradient_check.h"

namespace aq::converter::training {
namespace {

// Inputs are accumulators times a power of two, steps are powers of two: the float path is exact, so the fake quantiser
// must give the very codes of numerics.h.
struct GridCase {
  int bits, zero_point;
  BorderClass border_class;
};
void PrintTo(const GridCase& c, std::ostream* out) {
  *out << c.bits << " bits, zero point " << c.zero_point << ", class " << static_cast<int>(c.border_class);
}

constexpr int64_t kChannels = 3, kPlane = 4000;
constexpr float kStep = 0.25f, kAccScale = 1.0f / 4096;  // v = floor(acc / 4) without a border's gain

class IntegerGrid : public testing::TestWithParam<GridCase> {};

TEST_P(IntegerGrid, ForwardEqualsNumerics) {
  const GridCase& c = GetParam();
  ActivationQuantizer q = MakeActivationQuantizer(c.bits, c.zero_point, kStep, c.border_class, kChannels);
  std::vector<float>& border = q.border.value;
  const std::vector<float> random = Uniform(border.size(), 0, 1, 3);
  for (size_t i = 0; i < border.size(); ++i) border[i] = random[i];
  if (q.is_affine()) {
    // Slopes of -1/4, 0, 1/4: the gain 1 - slope has few bits, so the folded multiplier is exact.
    for (size_t i = 0; i < border.size(); i += 2)
      border[i + 1] =
          static_cast<float>(static_cast<int>(i / 2 % 3) - 1) * 0.25f * static_cast<float>(MaxLevel(c.bits));
  }
  Project(&q);

  // Accumulators from below to above the range.
  const int32_t low = -((c.zero_point + 2) << 10), high = (MaxLevel(c.bits) - c.zero_point + 3) << 10;
  std::vector<int32_t> acc(kChannels * kPlane);
  for (size_t i = 0; i < acc.size(); ++i)
    acc[i] = low + static_cast<int32_t>((i % kPlane * 7919 + i) % static_cast<size_t>(high - low));
  std::vector<float> x(acc.size());
  for (size_t i = 0; i < acc.size(); ++i) x[i] = static_cast<float>(acc[i]) * kAccScale;

  Tape tape(2);
  const Var out = FakeQuantize(&tape, tape.Constant({1, kChannels, kPlane, 1}, x.data()), &q, {});
  size_t away_from_nearest = 0;
  for (size_t i = 0; i < acc.size(); ++i) {
    const Grid grid = GridOf(q, static_cast<int64_t>(i) / kPlane % q.channels);
    Rounding rounding{.bits = c.bits};
    uint16_t thresholds[kThresholds];
    for (int b = 0; b < kBorderEntries; ++b) rounding.border[b] = static_cast<uint8_t>(grid.border[b]);
    for (int t = 0; t < kThresholds; ++t) thresholds[t] = static_cast<uint16_t>((t << 8) + grid.border[t]);
    // gain / 4 = multiplier / 2^(31 + shift), multiplier in [2^30, 2^31)
    const int shift = grid.gain < 1 ? 2 : 1;
    const Scaling scaling{.multiplier = static_cast<int32_t>(std::ldexp(double{grid.gain} / 4, 31 + shift)),
                          .shift = shift,
                          .offset = grid.offset};
    const bool per_channel_thresholds = c.bits == 2 && c.border_class == BorderClass::kFreeChannel;
    const int32_t code = RequantizeOne(acc[i], scaling, rounding, per_channel_thresholds ? thresholds : nullptr);
    ASSERT_EQ(tape.value(out)[i], kStep * static_cast<float>(code - c.zero_point)) << "acc " << acc[i];
    away_from_nearest += code != QuantizeOne((int64_t{acc[i]} >> 2) + (c.zero_point << 8), Rounding{.bits = c.bits});
  }
  if (c.border_class != BorderClass::kNone) {
    EXPECT_GT(away_from_nearest, acc.size() / 200);
  }
}

std::vector<GridCase> GridCases() {
  std::vector<GridCase> cases;
  for (int bits : {2, 4, 8})
    for (int zero_point : {0, 1, MaxLevel(bits) / 2, MaxLevel(bits)})
      for (BorderClass b : {BorderClass::kNone, BorderClass::kAffine, BorderClass::kAffineChannel, BorderClass::kFree,
                            BorderClass::kFreeChannel})
        cases.push_back({bits, zero_point, b});
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, IntegerGrid, testing::ValuesIn(GridCases()));

// ---- Gradients against their closed forms -------------------------------------------------------------------------

struct Gradients {
  std::vector<float> x;
  double step;
  std::vector<float> border;
};

Gradients GradientsOf(ActivationQuantizer* q, const Shape& shape, const std::vector<float>& x,
                      const std::vector<float>& g, const FakeQuantizeOptions& options) {
  Tape tape(2);
  Parameter input(shape, x);
  q->step.ZeroGradient();
  q->border.ZeroGradient();
  tape.Backward(FakeQuantize(&tape, tape.Leaf(&input), q, options), g);
  return {input.gradient, q->step.gradient[0], q->border.gradient};
}

// algorithms.md 3.3, element by element in double.
Gradients ClosedForm(const ActivationQuantizer& q, const Shape& shape, const std::vector<float>& x,
                     const std::vector<float>& g, const std::vector<uint8_t>& mask, double window) {
  const double s = q.step.value[0], top = MaxLevel(q.bits), z = q.zero_point;
  const size_t entries = static_cast<size_t>(q.entries());
  std::vector<double> border(q.border.value.size());
  Gradients r{std::vector<float>(x.size()), 0, std::vector<float>(border.size())};
  const int64_t plane = NumElements(shape) / (shape[0] * shape[1]);
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t channel = static_cast<int64_t>(i) / plane % shape[1] % q.channels;
    const Grid grid = GridOf(q, channel);
    const double u = x[i] / s + z;
    double folded = u;  // the axis on which borders are tested
    if (q.is_affine()) folded = double{grid.gain} * x[i] / s + grid.offset / 256.0;
    const double v = std::floor(double{grid.gain} * x[i] / s * 256) + grid.offset;
    const double level = std::clamp(std::floor(v / 256), 0.0, top);
    const int cell = static_cast<int>(level) >> BorderShift(q.bits);
    const double code = v < 0 ? 0 : v >= top * 256 ? top : level + (v - level * 256 > grid.border[cell]);
    const bool in_range = v >= -128 && v < top * 256 + 128, in_cell = v >= 0 && v < top * 256;
    const double m = mask[i];
    r.x[i] = static_cast<float>(g[i] * (m * (in_range ? grid.gain : 0) + 1 - m));
    r.step += g[i] * m * (code - z - (in_range ? double{grid.gain} * x[i] / s : 0));
    double term = -s * g[i] * m;
    if (window > 0) {
      const double b = q.is_free() ? (grid.border[cell] + 1) / 256.0 : 0.5;
      const double n = std::clamp(std::floor(folded), 0.0, top - 1);
      const double e = std::exp(-std::fabs(folded - n - b) / window);
      term *= e / ((1 + e) * (1 + e)) / window;
    }
    double* mine = border.data() + static_cast<size_t>(channel) * entries;
    if (q.is_free() && in_cell) mine[cell] += term;
    if (q.is_affine() && in_range) mine[0] += term, mine[1] += term * u / top;
  }
  r.step /= std::sqrt(static_cast<double>(x.size()) * top);
  for (size_t i = 0; i < border.size(); ++i) r.border[i] = static_cast<float>(border[i]);
  return r;
}

void ExpectSame(const Gradients& a, const Gradients& b) {
  for (size_t i = 0; i < a.x.size(); ++i) ASSERT_NEAR(a.x[i], b.x[i], 1e-5) << i;
  EXPECT_NEAR(a.step, b.step, 2e-4 * (1 + std::fabs(b.step)));
  double size = 0;
  for (size_t i = 0; i < a.border.size(); ++i) {
    EXPECT_NEAR(a.border[i], b.border[i], 5e-4 * (1 + std::fabs(b.border[i]))) << "border " << i;
    size += std::fabs(b.border[i]);
  }
  if (!a.border.empty()) {
    EXPECT_GT(size, 0.1);
  }
}

class QuantizerGradient : public testing::TestWithParam<GridCase> {};

TEST_P(QuantizerGradient, EqualsClosedFormsWithAndWithoutDropAndWindow) {
  const GridCase& c = GetParam();
  const Shape shape{4, kChannels, 13, 11};
  const size_t count = static_cast<size_t>(NumElements(shape));
  ActivationQuantizer q = MakeActivationQuantizer(c.bits, c.zero_point, 0.25f, c.border_class, kChannels);
  const std::vector<float> noise = Uniform(q.border.value.size(), -0.3f, 0.3f, 8);
  for (size_t i = 0; i < noise.size(); ++i) q.border.value[i] += noise[i];
  Project(&q);
  const float low = 0.25f * static_cast<float>(-c.zero_point - 1);
  const std::vector<float> x = Uniform(count, low, low + 0.25f * static_cast<float>(MaxLevel(c.bits) + 2), 1);
  const std::vector<float> g = Uniform(count, -1, 1, 2);
  for (float window : {0.0f, 0.2f, 0.03f}) {
    SCOPED_TRACE(window);
    const FakeQuantizeOptions all{.drop = {}, .window = window};
    ExpectSame(GradientsOf(&q, shape, x, g, all), ClosedForm(q, shape, x, g, std::vector<uint8_t>(count, 1), window));
    const FakeQuantizeOptions half{.drop = {.keep = 0.5f, .key = {1, 2, 3}}, .window = window};
    std::vector<uint8_t> mask(count);
    FillMask(half.drop, NumElements(shape), mask.data());
    ExpectSame(GradientsOf(&q, shape, x, g, half), ClosedForm(q, shape, x, g, mask, window));
  }
}
INSTANTIATE_TEST_SUITE_P(All, QuantizerGradient, testing::ValuesIn(GridCases()));

TEST(FakeQuantize, DroppedElementsPassUnchanged) {
  ActivationQuantizer q = MakeActivationQuantizer(2, 0, 0.5f, BorderClass::kNone, 1);
  const std::vector<float> x = Uniform(10000, 0.1f, 1.4f, 4);
  const Drop drop{.keep = 0.5f, .key = {7, 0, 0}};
  std::vector<uint8_t> mask(x.size());
  FillMask(drop, 10000, mask.data());
  Tape tape(2);
  const Var out = FakeQuantize(&tape, tape.Constant({10000}, x.data()), &q, {.drop = drop});
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(tape.value(out)[i], mask[i] ? 0.5f * std::floor(x[i] / 0.5f + 0.5f) : x[i]) << i;
  }
}

TEST(FakeQuantize, OneQuantizerUsedTwiceAddsItsGradients) {
  ActivationQuantizer q = MakeActivationQuantizer(4, 0, 0.1f, BorderClass::kFree, 1);
  const std::vector<float> x = Uniform(500, 0, 1.6f, 4), g(500, 1.0f);
  Gradients once = GradientsOf(&q, {500}, x, g, {});
  q.step.ZeroGradient();
  Tape tape(1);
  for (int i = 0; i < 2; ++i) {
    tape.Reset();
    tape.Backward(FakeQuantize(&tape, tape.Constant({500}, x.data()), &q, {}), g);
  }
  EXPECT_FLOAT_EQ(q.step.gradient[0], static_cast<float>(2 * once.step));
  EXPECT_FLOAT_EQ(q.border.gradient[3], 3 * once.border[3]);
}

TEST(Drop, MaskHasTheStatedShareAndDependsOnSeedStreamAndIteration) {
  const int64_t count = 100003;
  const auto mask = [&](float keep, RandomKey key) {
    std::vector<uint8_t> m(count);
    FillMask({.keep = keep, .key = key}, count, m.data());
    return m;
  };
  const std::vector<uint8_t> base = mask(0.5f, {1, 2, 3});
  EXPECT_EQ(base, mask(0.5f, {1, 2, 3}));
  EXPECT_NEAR(static_cast<double>(std::count(base.begin(), base.end(), 1)), 50000,
              700);  // over four standard deviations
  for (const RandomKey& other : {RandomKey{2, 2, 3}, RandomKey{1, 3, 3}, RandomKey{1, 2, 4}}) {
    const std::vector<uint8_t> m = mask(0.5f, other);
    int64_t equal = 0;
    for (size_t i = 0; i < m.size(); ++i) equal += m[i] == base[i];
    EXPECT_NEAR(static_cast<double>(equal), 50000, 700);
  }
  const std::vector<uint8_t> tenth = mask(0.1f, {1, 2, 3});
  EXPECT_NEAR(static_cast<double>(std::count(tenth.begin(), tenth.end(), 1)), 10000, 450);
}

TEST(Drop, MixInputsFollowsTheMask) {
  const std::vector<float> one(50000, 1.0f), two(50000, 2.0f);
  const Drop drop{.keep = 0.3f, .key = {5, 6, 7}};
  std::vector<uint8_t> mask(50000);
  FillMask(drop, 50000, mask.data());
  std::vector<float> out(50000);
  MixInputs(drop, one.data(), two.data(), 50000, out.data());
  for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], mask[i] ? 1.0f : 2.0f);
}

TEST(Border, ProjectionKeepsZeroExact) {
  for (const GridCase& c : GridCases()) {
    ActivationQuantizer q = MakeActivationQuantizer(c.bits, c.zero_point, 0.1f, c.border_class, kChannels);
    for (uint32_t seed = 0; seed < 20; ++seed) {
      q.border.value = Uniform(q.border.value.size(), -3, 3, seed);
      q.step.value[0] = 0.1f;
      Project(&q);
      const std::vector<float> zeros(kChannels, 0.0f);
      Tape tape(1);
      const Var out = FakeQuantize(&tape, tape.Constant({1, kChannels, 1, 1}, zeros.data()), &q, {});
      for (int64_t i = 0; i < kChannels; ++i) ASSERT_EQ(tape.value(out)[i], 0.0f) << testing::PrintToString(c);
    }
  }
}

// docs/rounding.md, "What a border can add": on the ReLU of a layer's output it does what the layer's own scale and
// bias can do.
TEST(Border, AffineOfAChannelIsAScaleAndABiasBeforeTheRelu) {
  constexpr float kGain = 0.75f, kOffset = 200.0f / 256;  // 1 - b1 / Q, b0
  for (const int bits : {2, 4}) {
    std::vector<float> plain, moved;  // the layer's output with and without the border
    const int32_t end = (MaxLevel(bits) + 3) << 10;
    for (int32_t acc = -4096; acc < end; ++acc) {
      const float a = static_cast<float>(acc) * kAccScale;
      plain.push_back(std::max(a, 0.0f));
      moved.push_back(std::max(kGain * a + kStep * (0.5f - kOffset), 0.0f));
    }
    ActivationQuantizer border = MakeActivationQuantizer(bits, 0, kStep, BorderClass::kAffineChannel, 1);
    border.border.value = {kOffset, (1 - kGain) * static_cast<float>(MaxLevel(bits))};
    ActivationQuantizer nearest = MakeActivationQuantizer(bits, 0, kStep, BorderClass::kNone, 1);
    const int64_t count = static_cast<int64_t>(plain.size());
    Tape tape(1);
    const Var with_border = FakeQuantize(&tape, tape.Constant({1, 1, count, 1}, plain.data()), &border, {});
    const Var without = FakeQuantize(&tape, tape.Constant({1, 1, count, 1}, moved.data()), &nearest, {});
    for (int64_t i = 0; i < count; ++i)
      ASSERT_EQ(tape.value(with_border)[i], tape.value(without)[i]) << bits << " " << i;
  }
}

}  // namespace
}  // namespace aq::converter::training
