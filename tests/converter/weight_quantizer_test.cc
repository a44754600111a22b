// SPDX-License-Identifier: Apache-2.0
#include "converter/weight_quantizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels/numerics.h"

namespace aq::converter {
namespace {

std::vector<float> Normal(size_t count, float mean) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(mean, 1);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

double SquaredError(const std::vector<float>& weights, const QuantizedWeights& q) {
  const size_t per_channel = weights.size() / q.scale.size();
  double error = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double d =
        weights[i] - q.scale[i / per_channel] * static_cast<float>(q.Decoded(i) - q.zero_point[i / per_channel]);
    error += d * d;
  }
  return error;
}

QuantizedWeights Quantized(const std::vector<float>& weights, size_t channels, int bits, bool asymmetric,
                           int threads = 1) {
  return QuantizeWeights(weights, channels, bits, asymmetric, std::vector<float>(channels), threads);
}

TEST(WeightQuantizer, CodesStayInsideTheirWidth) {
  const std::vector<float> weights = Normal(256, 0.3f);
  for (const int bits : {2, 4, 8}) {
    for (const bool asymmetric : {false, true}) {
      const QuantizedWeights q = Quantized(weights, 4, bits, asymmetric);
      const int half = 1 << (bits - 1);
      for (const int8_t code : q.codes) {
        EXPECT_GE(code, bits == 8 && !asymmetric ? -127 : -half);
        EXPECT_LT(code, half);
      }
      for (const int8_t zero : q.zero_point) {
        EXPECT_GE(zero, -half);
        EXPECT_LT(zero, half);
        if (!asymmetric) {
          EXPECT_EQ(zero, 0);
        }
      }
    }
  }
}

TEST(WeightQuantizer, WeightsOnAGridComeBackExactly) {
  std::vector<float> weights;
  for (int code = -127; code <= 127; ++code) weights.push_back(0.03125f * static_cast<float>(code));
  EXPECT_LT(SquaredError(weights, Quantized(weights, 1, 8, false)), 1e-9);
  std::vector<float> small;
  for (int code = -3; code <= 12; ++code) small.push_back(0.5f * static_cast<float>(code));
  EXPECT_LT(SquaredError(small, Quantized(small, 1, 4, true)), 1e-9);
}

TEST(WeightQuantizer, TwoBitZeroPointsMayBeHalfAStep) {
  // Four values around zero, without zero: exact only with levels at -1.5, -0.5, 0.5 and 1.5 steps.
  const std::vector<float> weights = {-3, -1, 1, 3, -1, 1};
  const QuantizedWeights q = Quantized(weights, 1, 2, true);
  EXPECT_LT(SquaredError(weights, q), 1e-9);
  EXPECT_EQ(q.zero_point[0] % 2, -1);
  for (int code = -2; code < 2; ++code) EXPECT_EQ(q.codebook[static_cast<size_t>(code & 3)], 2 * code);
}

TEST(WeightQuantizer, ZeroPointsHelpSkewedChannels) {
  const std::vector<float> weights = Normal(512, 1.5f);
  for (const int bits : {2, 4})
    EXPECT_LT(SquaredError(weights, Quantized(weights, 2, bits, true)),
              0.8 * SquaredError(weights, Quantized(weights, 2, bits, false)));
}

TEST(WeightQuantizer, SearchBeatsTheFullRange) {
  std::vector<float> weights = Normal(1000, 0);
  weights[17] = 9;  // an outlier
  const QuantizedWeights q = Quantized(weights, 1, 4, false);
  EXPECT_LT(q.scale[0], 0.7f * 9 / 7);
}

TEST(WeightQuantizer, LowBitChannelsAnswerAsStronglyAsFloat) {
  const std::vector<float> weights = Normal(900, 0);
  for (const int bits : {2, 4}) {
    const QuantizedWeights q = Quantized(weights, 3, bits, true);
    for (size_t n = 0; n < 3; ++n) {
      double square = 0, product = 0;
      for (size_t i = n * 300; i < (n + 1) * 300; ++i) {
        square += weights[i] * weights[i];
        product += weights[i] * q.scale[n] * static_cast<float>(q.Decoded(i) - q.zero_point[n]);
      }
      EXPECT_NEAR(product / square, 1, 1e-5);
    }
  }
}

TEST(WeightQuantizer, ThreadsDoNotChangeTheResult) {
  const std::vector<float> weights = Normal(64 * 27, 0.1f);
  const QuantizedWeights one = Quantized(weights, 64, 4, true, 1), three = Quantized(weights, 64, 4, true, 3);
  EXPECT_EQ(one.codes, three.codes);
  EXPECT_EQ(one.scale, three.scale);
  EXPECT_EQ(one.zero_point, three.zero_point);
}

TEST(WeightQuantizer, SmallestScaleIsRespected) {
  const std::vector<float> weights = {1e-9f, -1e-9f};
  const std::vector<float> min_scale = {0.01f};
  EXPECT_EQ(QuantizeWeights(weights, 1, 8, false, min_scale, 1).scale[0], 0.01f);
}

TEST(WeightQuantizer, PackedCodesDecodeAgain) {
  for (const int bits : {2, 4, 8}) {
    std::vector<int8_t> codes;
    for (int i = 0; i < 301; ++i) codes.push_back(SignedCode(static_cast<uint8_t>(i * 7 % (1 << bits)), bits));
    const std::vector<uint8_t> packed = PackCodes(codes, bits);
    EXPECT_EQ(packed.size(), (301u * static_cast<unsigned>(bits) + 7) / 8);
    for (size_t i = 0; i < codes.size(); ++i)
      ASSERT_EQ(DecodeWeight(CodeAt(packed.data(), i, bits), bits, nullptr), codes[i]);
  }
}

}  // namespace
}  // namespace aq::converter
