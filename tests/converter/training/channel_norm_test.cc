// SPDX-License-Identifier: Apache-2.0
#include "converter/training/channel_norm.h"

#include "tests/converter/training/gradient_check.h"

namespace aq::converter::training {
namespace {

constexpr int64_t kImages = 16, kChannels = 3, kPlane = 5 * 7;
const Shape kShape = {kImages, kChannels, 5, 7};

TEST(ChannelNormGradient, EqualsFiniteDifferences) {
  CheckGradients(
      {RandomParameter({2, 3, 3, 5}, 1), RandomParameter({3}, 2, 0.5f, 2), RandomParameter({3}, 3)},
      [](Tape* tape, const std::vector<Var>& leaves) { return Normalize(tape, leaves[0], leaves[1], leaves[2], 0.01); },
      1e-2f, 2e-3);
}

TEST(ChannelNorm, GivesEveryChannelItsMeanAndDeviation) {
  Parameter y = RandomParameter(kShape, 1, -3, 5), gain({kChannels}, {1, 2, 3}), shift({kChannels}, {4, 5, 6});
  Tape tape(2);
  const float* z = tape.value(Normalize(&tape, tape.Leaf(&y), tape.Leaf(&gain), tape.Leaf(&shift), 0));
  for (int64_t k = 0; k < kChannels; ++k) {
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < kImages; ++n)
      for (int64_t i = 0; i < kPlane; ++i) {
        const double v = z[(n * kChannels + k) * kPlane + i];
        sum += v;
        squares += v * v;
      }
    const double mean = sum / (kImages * kPlane);
    EXPECT_NEAR(mean, 4 + static_cast<double>(k), 1e-5);
    EXPECT_NEAR(std::sqrt(squares / (kImages * kPlane) - mean * mean), 1 + static_cast<double>(k), 1e-4);
  }
}

// product = x * scale + bias, per channel; the last channel of x is constant.
class Folding : public testing::Test {
 protected:
  Folding() {
    for (int64_t n = 0; n < kImages; ++n)
      std::fill_n(x_.begin() + static_cast<ptrdiff_t>((n * kChannels + kChannels - 1) * kPlane), kPlane, 0.5f);
  }
  std::vector<float> Product() const {
    std::vector<float> product(x_.size());
    for (size_t i = 0; i < x_.size(); ++i) {
      const size_t k = i / kPlane % kChannels;
      product[i] = x_[i] * scale_[k] + bias_[k];
    }
    return product;
  }
  void MeasureProduct() {
    const std::vector<float> product = Product();
    tape_.Reset();
    Measure(tape_, tape_.Constant(kShape, product.data()), &norm_);
  }
  std::vector<float> Normalized() {
    const std::vector<float> product = Product();
    tape_.Reset();
    const Var z = Normalize(&tape_, tape_.Constant(kShape, product.data()), tape_.Leaf(&norm_.gain),
                            tape_.Leaf(&norm_.shift), norm_.epsilon);
    return {tape_.value(z), tape_.value(z) + product.size()};
  }
  static void ExpectNear(const std::vector<float>& found, const std::vector<float>& wanted) {
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], wanted[i], 1e-4) << i;
  }

  std::vector<float> x_ = Uniform(static_cast<size_t>(NumElements(kShape)), -2, 4, 1), scale_ = {0.5f, 3, 2},
                     bias_ = {1, -2, 0.25f};
  Tape tape_{2};
  ChannelNorm norm_;
};

TEST_F(Folding, ChangesNothingWhereNothingWasLearned) {
  const std::vector<float> before = Product();
  MeasureProduct();
  Start(&norm_);
  ASSERT_TRUE(norm_.is_on());
  ExpectNear(Normalized(), before);
  MeasureProduct();
  Fold(&norm_, scale_, bias_);
  EXPECT_FALSE(norm_.is_on());
  ExpectNear(Product(), before);
}

// Meanwhile gain and shift were trained, and the product became another.
TEST_F(Folding, GivesScalesAndBiasesThatDoTheSame) {
  MeasureProduct();
  Start(&norm_);
  norm_.gain.value[0] *= 1.5f;
  norm_.gain.value[1] *= 0.5f;
  norm_.shift.value = {7, 8, 9};
  for (float& x : x_) x = 2 * x - 1;
  const std::vector<float> normalized = Normalized();
  MeasureProduct();
  MeasureProduct();  // the mean over batches
  Fold(&norm_, scale_, bias_);
  ExpectNear(Product(), normalized);
  for (const float scale : scale_) EXPECT_GT(scale, 0);
}

TEST_F(Folding, KeepsGainsPositive) {
  MeasureProduct();
  Start(&norm_);
  const std::vector<float> start = norm_.gain.value;
  norm_.gain.value = {-1, 0, start[2]};
  Project(&norm_);
  EXPECT_EQ(norm_.gain.value, (std::vector<float>{start[0] / 16, start[1] / 16, start[2]}));
}

TEST(ChannelNorm, StaysOffWhereABatchHasFewImagesOrSamples) {
  struct Case {
    Shape shape;
    bool is_on;
  };
  for (const Case& c : {Case{{127, 2}, false}, Case{{128, 2}, true}, Case{{15, 2, 4, 4}, false},
                        Case{{16, 2, 4, 2}, true}, Case{{16, 2, 7, 1}, false}}) {
    const std::vector<float> y = Uniform(static_cast<size_t>(NumElements(c.shape)), -1, 1, 1);
    Tape tape(1);
    ChannelNorm norm;
    Measure(tape, tape.Constant(c.shape, y.data()), &norm);
    Start(&norm);
    EXPECT_EQ(norm.is_on(), c.is_on) << c.shape[0] << " images";
    if (c.is_on) continue;
    std::vector<float> scale = {1, 2}, bias = {3, 4};
    Measure(tape, tape.Constant(c.shape, y.data()), &norm);
    Fold(&norm, scale, bias);
    EXPECT_EQ(scale, (std::vector<float>{1, 2}));
    EXPECT_EQ(bias, (std::vector<float>{3, 4}));
  }
}

}  // namespace
}  // namespace aq::converter::training
