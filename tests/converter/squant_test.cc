// SPDX-License-Identifier: Apache-2.0
#include "converter/squant.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "converter/weight_quantizer.h"

namespace aq::converter {
namespace {

struct Channel {
  std::vector<float> positions;
  std::vector<int> nearest, flipped;
};

Channel RandomChannel(size_t size, const KernelLayout& layout, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(1, 14);
  Channel channel;
  for (size_t i = 0; i < size; ++i) channel.positions.push_back(uniform(random));
  for (const float p : channel.positions) channel.nearest.push_back(static_cast<int>(std::floor(p + 0.5f)));
  channel.flipped = channel.nearest;
  CancelRoundingErrors(channel.positions, 15, layout, channel.flipped);
  return channel;
}

double KernelSum(const Channel& channel, const std::vector<int>& codes, size_t kernel, const KernelLayout& layout) {
  const size_t kernels = codes.size() / layout.taps;
  double sum = 0;
  for (size_t t = 0; t < layout.taps; ++t) {
    const size_t i = layout.is_tap_major ? t * kernels + kernel : kernel * layout.taps + t;
    sum += codes[i] - static_cast<double>(channel.positions[i]);
  }
  return sum;
}

TEST(Squant, ErrorsCancelInKernelsAndInTheChannel) {
  for (const bool is_tap_major : {false, true}) {
    const KernelLayout layout{9, is_tap_major};
    for (uint32_t seed = 1; seed <= 20; ++seed) {
      const Channel channel = RandomChannel(9 * 16, layout, seed);
      double total = 0, nearest_total = 0;
      for (size_t k = 0; k < 16; ++k) {
        const double sum = KernelSum(channel, channel.flipped, k, layout);
        EXPECT_LE(std::abs(sum), 1.0);  // half a step, and one flip for the channel
        total += sum;
        nearest_total += KernelSum(channel, channel.nearest, k, layout);
      }
      EXPECT_LE(std::abs(total), 0.5 + 1e-6) << "nearest: " << nearest_total;
      for (size_t i = 0; i < channel.flipped.size(); ++i)  // floor or ceil, nothing else
        EXPECT_LT(std::abs(static_cast<float>(channel.flipped[i]) - channel.positions[i]), 1.0f);
    }
  }
}

TEST(Squant, PointwiseKernelsCancelInTheChannel) {
  const Channel channel = RandomChannel(64, {1, false}, 5);
  double total = 0;
  for (size_t k = 0; k < 64; ++k) total += KernelSum(channel, channel.flipped, k, {1, false});
  EXPECT_LE(std::abs(total), 0.5 + 1e-6);
}

TEST(Squant, LeavesClippedWeightsAlone) {
  const std::vector<float> positions(9, 20.0f);  // far above the grid
  std::vector<int> indices(9, 15);
  CancelRoundingErrors(positions, 15, {9, false}, indices);
  EXPECT_EQ(indices, std::vector<int>(9, 15));
}

TEST(Squant, WeightsStayOnTheSameGrid) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.02f, 0.1f);
  std::vector<float> weights(4 * 9 * 8);
  for (float& w : weights) w = normal(random);
  const std::vector<float> min_scale(4, 1e-8f);
  for (const int bits : {2, 4, 8}) {
    const WeightRule plain{WeightScale::kLeastError, {}}, squant{WeightScale::kLeastError, KernelLayout{9, false}};
    const QuantizedWeights a = QuantizeWeights(weights, 4, bits, bits < 8, min_scale, 1, plain);
    const QuantizedWeights b = QuantizeWeights(weights, 4, bits, bits < 8, min_scale, 1, squant);
    EXPECT_EQ(a.scale, b.scale);
    EXPECT_EQ(a.zero_point, b.zero_point);
    EXPECT_NE(a.codes, b.codes) << bits;
    for (size_t i = 0; i < a.codes.size(); ++i) EXPECT_LE(std::abs(a.codes[i] - b.codes[i]), 1);
  }
}

}  // namespace
}  // namespace aq::converter
