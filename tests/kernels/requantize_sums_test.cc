// SPDX-License-Identifier: Apache-2.0
// Codes that kernels make of int16 sums, against numerics.h for all sizes of sums a channel can have.
#include "kernels/depthwise/requantize_sums.h"

#include <gtest/gtest.h>

#include <map>

#include "kernels/depthwise/sum_order.h"
#include "kernels/requantize/reference.h"
#include "tests/kernels/test_data.h"

namespace aq {

namespace {

constexpr size_t kChannels = 64;
constexpr int kMaxCode = 255;

// Channels of a 1x1 layer with these weights, so that sums lie between 0 and 255 * weight.
struct Layer {
  std::vector<uint8_t> codes;
  std::vector<int32_t> bias, bounds;

  Layer(Random& random, int max_bias) {
    for (size_t i = 0; i < kChannels; ++i) {
      codes.push_back(random.Byte(255));
      const int extreme = random.Int(0, 9);
      if (extreme < 2) codes.back() = extreme == 0 ? 127 : 128;
      bias.push_back(random.Int(-max_bias, max_bias));
      bounds.push_back(std::abs(int{static_cast<int8_t>(codes.back())}) * kMaxCode + std::abs(bias.back()));
    }
  }
  WeightSource source() const { return {.codes = codes.data(), .n = kChannels, .taps = 1, .k = 1}; }
};

// The kernel's codes for sums that start from given values and get nothing added.
class Codes {
 public:
  Codes(const DepthwiseKernel& kernel, const Requantize& rq, const SumRequantize& of_sums)
      : kernel_(kernel), weights_(AlignedBlock::Allocate(DepthwiseWeightBytes(kernel, 1, kChannels))) {
    std::memset(weights_.data(), 0, DepthwiseWeightBytes(kernel, 1, kChannels));
    tile_.rows = rows_;
    tile_.m = tile_.taps = 1;
    tile_.channels = kChannels;
    tile_.weights = weights_.data();
    tile_.requantize = &rq;
    tile_.of_sums = of_sums;
    tile_.out[0] = out_;
  }
  const uint8_t* Of(const int32_t (&starts)[kChannels]) {
    const SumOrder& order = kernel_.order;
    const size_t block_bytes = order.block * (2 + TapSlots(1));
    for (size_t i = 0; i < kChannels; ++i) {
      const int16_t start = static_cast<int16_t>(starts[i]);
      std::memcpy(weights_.data() + i / order.block * block_bytes + PlaceInSums(order, i % order.block) * sizeof(start),
                  &start, sizeof(start));
    }
    kernel_.run(tile_);
    return out_;
  }

 private:
  const DepthwiseKernel& kernel_;
  AlignedBlock weights_;
  const uint8_t pixel_[kChannels + kReadSlack] = {};
  const uint8_t* const rows_[2] = {pixel_, pixel_};
  uint8_t out_[kChannels] = {};
  DepthwiseTile tile_;
};

class RequantizeSums : public testing::TestWithParam<DepthwiseKernel> {};

TEST_P(RequantizeSums, EqualsSpecificationForSumsOfAllSizes) {
  const DepthwiseKernel& kernel = GetParam();
  if (!DetectIsas().Has(kernel.isa)) GTEST_SKIP() << "skipped: needs " << IsaName(kernel.isa);
  if (!kernel.sums_in_int16) return;
  std::map<SumForm, int> proven;
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    Random random(seed);
    const Layer layer(random, 1 << random.Int(8, 22));
    const int bits = seed % 4 == 0 ? 2 : seed % 4 == 1 ? 4 : 8;
    const RandomRequantize output(random, kChannels, layer.bounds,
                                  {.bits = bits, .want_acc_thresholds = bits == 2 && random.OneIn(2)});
    AlignedBlock memory = AlignedBlock::Allocate(SumRequantizeBytes(kernel, kChannels));
    const SumRequantize of_sums =
        PrepareSumRequantize(layer.source(), kMaxCode, layer.bias.data(), output.prepared, kernel, memory.data());
    ++proven[of_sums.form];
    if (of_sums.form == SumForm::kNone) continue;
    std::vector<SumRange> ranges;
    for (size_t i = 0; i < kChannels; ++i) ranges.push_back(RangeOfSums(layer.source(), i, kMaxCode));
    Codes codes(kernel, output.prepared, of_sums);
    for (int32_t step = static_cast<int32_t>(seed % 5); step <= 128 * kMaxCode; step += 5) {
      int32_t sums[kChannels], starts[kChannels];
      for (size_t i = 0; i < kChannels; ++i) {
        sums[i] = ranges[i].high > 0 ? std::min(step, ranges[i].high) : std::max(-step, ranges[i].low);
        starts[i] = sums[i] + BiasInSums(ranges[i], layer.bias[i]);
      }
      const uint8_t* found = codes.Of(starts);
      for (size_t i = 0; i < kChannels; ++i) {
        ASSERT_EQ(found[i], reference::Requantize(sums[i] + layer.bias[i], nullptr, output.source, i))
            << "seed " << seed << ", channel " << i << ", sum " << sums[i] << ", bias " << layer.bias[i];
      }
    }
  }
  EXPECT_LE(proven[SumForm::kNone], 1);
  for (SumForm form : {SumForm::kClamp, SumForm::kBorder, SumForm::kThresholds}) EXPECT_GE(proven[form], 1);
}

INSTANTIATE_TEST_SUITE_P(AllRows, RequantizeSums,
                         testing::ValuesIn(AllDepthwiseKernels().begin(), AllDepthwiseKernels().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PrepareSumRequantize, LeavesOtherOutputsToTheGeneralWay) {
  const DepthwiseKernel* kernel = SelectDepthwise(true, IsaSet(1));
  AlignedBlock memory = AlignedBlock::Allocate(SumRequantizeBytes(*kernel, kChannels));
  Random random(1);
  const Layer layer(random, 100);
  const auto form = [&](const RandomRequantize::Options& options) {
    const RandomRequantize output(random, kChannels, layer.bounds, options);
    return PrepareSumRequantize(layer.source(), kMaxCode, layer.bias.data(), output.prepared, *kernel, memory.data())
        .form;
  };
  EXPECT_EQ(form({.bits = 32}), SumForm::kNone);
  EXPECT_EQ(form({.bits = 8, .has_residual = true}), SumForm::kNone);
  EXPECT_EQ(form({.bits = 2, .has_thresholds = true}), SumForm::kNone);
  EXPECT_EQ(form({.bits = 2, .has_thresholds = true, .want_acc_thresholds = true}), SumForm::kThresholds);
}

}  // namespace
}  // namespace aq
