// SPDX-License-Identifier: Apache-2.0
// Every depthwise kernel against the convolution reference with groups = channels.
#include <gtest/gtest.h>

#include <ostream>
#include <set>

#include "kernels/depthwise/requantize_sums.h"
#include "tests/kernels/convolution_case.h"

namespace aq {

void PrintTo(const DepthwiseKernel& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

std::string RunCase(Random& random, const ConvolutionCase& c, const DepthwiseKernel& kernel, std::set<SumForm>* forms) {
  const ConvGeometry& g = c.file.geometry;
  const size_t channels = static_cast<size_t>(g.in_c), taps = static_cast<size_t>(g.kernel_h * g.kernel_w);
  const WeightSource source{.codes = c.file.codes,
                            .bits = c.file.bits,
                            .codebook = c.file.codebook,
                            .zero_points = c.file.weight_zero_points,
                            .n = channels,
                            .taps = taps,
                            .k = 1};
  if (kernel.sums_in_int16 && !FitsInt16Sums(source, c.max_code)) return "the case does not suit the kernel";
  AlignedBlock weights = AlignedBlock::Allocate(DepthwiseWeightBytes(kernel, taps, channels));
  std::vector<int32_t> bias(c.bias);
  bias.resize(channels + kChannelPad);
  PackDepthwise(source, c.max_code, kernel, bias.data(), weights.data());
  AlignedBlock memory = AlignedBlock::Allocate(SumRequantizeBytes(kernel, channels));
  SumRequantize of_sums;
  if (c.file.outputs == 1 && c.residual.empty()) {
    of_sums = PrepareSumRequantize(source, c.max_code, c.bias.data(), c.prepared[0], kernel, memory.data());
  }
  if (forms != nullptr) forms->insert(of_sums.form);
  ConvolutionBuffers buffers(c);
  const Depthwise depthwise{.geometry = g,
                            .kernel = &kernel,
                            .weights = weights.data(),
                            .bias = bias.data(),
                            .requantize = c.prepared.data(),
                            .of_sums = of_sums,
                            .outputs = c.file.outputs,
                            .pad_row = buffers.pad_row.data()};
  AlignedBlock scratch = AlignedBlock::Allocate(DepthwiseScratchBytes(depthwise));
  const size_t m = static_cast<size_t>(g.out_h * g.out_w);
  const size_t split = static_cast<size_t>(random.Between(0, static_cast<int64_t>(m)));
  DepthwiseConvolve(depthwise, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), split, m,
                    scratch.data());
  DepthwiseConvolve(depthwise, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), 0, split,
                    scratch.data());
  return buffers.FirstDifference(c);
}

class DepthwiseTable : public testing::TestWithParam<DepthwiseKernel> {};

TEST_P(DepthwiseTable, EqualsReference) {
  const DepthwiseKernel& kernel = GetParam();
  if (!DetectIsas().Has(kernel.isa)) GTEST_SKIP() << "skipped: needs " << IsaName(kernel.isa);
  uint32_t seed = 0;
  std::set<SumForm> forms;
  Random random_bias(1);
  for (int channels : {1, 3, 8, 15, 16, 17, 48, 63, 64, 65, 130}) {
    for (int shape = 0; shape < 12; ++shape) {
      const ConvGeometry geometries[] = {Geometry(4, 5, channels, channels, 3, 1, 1, 1, channels),
                                         Geometry(5, 5, channels, channels, 3, 2, 1, 1, channels),
                                         Geometry(6, 6, channels, channels, 5, 1, 2, 1, channels),
                                         Geometry(3, 3, channels, channels, 1, 1, 0, 1, channels),
                                         Geometry(6, 6, channels, channels, 3, 1, 2, 2, channels),
                                         Geometry(4, 4, channels, channels, 2, 2, 0, 1, channels),
                                         Geometry(3, 3, channels, channels, 3, 1, 0, 1, channels),
                                         Geometry(5, 4, channels, channels, 4, 1, 2, 1, channels),
                                         Geometry(7, 9, channels, channels, 3, 2, 2, 2, channels),
                                         Geometry(9, 12, channels, channels, 3, 4, 1, 2, channels),
                                         Geometry(2, 3, channels, channels, 3, 2, 3, 1, channels),
                                         Geometry(3, 70, channels, channels, 3, 1, 1, 1, channels)};
      CaseOptions options{.weight_bits = 8};
      if (shape == 1) options = {.weight_bits = 4, .has_residual = true, .output_bits = {4, 8}};
      if (shape == 2) options = {.weight_bits = 8, .has_weight_zero_points = true, .output_bits = {32}};
      if (shape == 3) options = {.weight_bits = 2, .has_codebook = true, .has_thresholds = true, .output_bits = {2}};
      if (shape == 4) options.is_extreme = true;
      if (shape == 5) options = {.has_weight_zero_points = true, .is_extreme = true, .output_bits = {8, 2}};
      if (shape == 6 || shape == 11) options.output_bits = {2};
      if (kernel.sums_in_int16) {  // weights of four bits up to the limit of 128 over all taps, or of eight and few
        const int taps = geometries[shape].kernel_h * geometries[shape].kernel_w;
        options.weight_bits = shape == 3 ? 8 : 4;
        options.has_codebook = shape != 3;
        options.max_weight = 128 / taps;
        if (options.has_weight_zero_points) options.max_zero_point = options.max_weight = 64 / taps;
        if (shape == 3) options.max_code = 15;
        if (shape == 3 && channels % 2 == 0) options.has_thresholds = false;
        if (shape >= 6) options.max_bias = 1 << random_bias.Int(5, 22);
        if (shape == 4) options.max_weight = 14;  // 9 * 14 = 126; and 4 * 32 = 128 of shape 5 is the limit itself
      }
      Random random(++seed);
      const ConvolutionCase c(random, geometries[shape], options);
      ASSERT_EQ(RunCase(random, c, kernel, &forms), "")
          << "seed " << seed << ", channels " << channels << ", shape " << shape;
    }
  }
  if (kernel.sums_in_int16) {
    EXPECT_EQ(forms, (std::set{SumForm::kNone, SumForm::kClamp, SumForm::kBorder, SumForm::kThresholds}));
  }
}

INSTANTIATE_TEST_SUITE_P(AllRows, DepthwiseTable,
                         testing::ValuesIn(AllDepthwiseKernels().begin(), AllDepthwiseKernels().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(FitsInt16Sums, IsTheBoundForBothSigns) {
  const auto fits = [](std::vector<int> weights, int max_code) {
    std::vector<uint8_t> codes;
    for (int w : weights) codes.push_back(static_cast<uint8_t>(w));
    return FitsInt16Sums({.codes = codes.data(), .n = 1, .taps = codes.size(), .k = 1}, max_code);
  };
  EXPECT_TRUE(fits({100, 28, -100, -28}, 255));
  EXPECT_FALSE(fits({100, 29, -100}, 255));
  EXPECT_FALSE(fits({100, -100, -29}, 255));
  EXPECT_TRUE(fits({127, 127, -128}, 127));
  EXPECT_FALSE(fits(std::vector<int>(64, 0), 3));  // more taps than a kernel takes
  const uint8_t code = 0x80;
  const int8_t zero = 1;
  EXPECT_FALSE(FitsInt16Sums({.codes = &code, .zero_points = &zero, .n = 1, .taps = 1, .k = 1}, 3));  // -129
}

TEST(SelectDepthwise, SumsInInt16OnlyWhereThatIsExact) {
  for (uint32_t bits = 0; bits < 1u << kIsaCount; ++bits) {
    const IsaSet isas(bits | 1);
    EXPECT_FALSE(SelectDepthwise(false, isas)->sums_in_int16);
    EXPECT_TRUE(isas.Has(SelectDepthwise(true, isas)->isa));
  }
}

}  // namespace
}  // namespace aq
