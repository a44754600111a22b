// SPDX-License-Identifier: Apache-2.0
// Every depthwise kernel against the convolution reference with groups = channels.
#include "kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include "tests/kernels/convolution_case.h"

namespace aq {
namespace {

size_t PaddedChannels(size_t channels) { return (channels + kChannelPad - 1) / kChannelPad * kChannelPad; }

std::string RunCase(Random& random, const ConvolutionCase& c, const DepthwiseKernel& kernel) {
  const ConvGeometry& g = c.file.geometry;
  const size_t channels = static_cast<size_t>(g.in_c), taps = static_cast<size_t>(g.kernel_h * g.kernel_w);
  const size_t padded = PaddedChannels(channels);
  std::vector<int16_t> weights(taps * padded);
  std::vector<int32_t> bias(padded);
  for (size_t n = 0; n < channels; ++n) {
    bias[n] = c.bias[n];
    for (size_t tap = 0; tap < taps; ++tap) {
      const int value = DecodeWeight(CodeAt(c.codes.data(), n * taps + tap, c.file.bits), c.file.bits, c.file.codebook);
      weights[tap * padded + n] = static_cast<int16_t>(value - (c.zero_points.empty() ? 0 : c.zero_points[n]));
    }
  }
  ConvolutionBuffers buffers(c);
  const Depthwise depthwise{.geometry = g,
                            .kernel = &kernel,
                            .weights = weights.data(),
                            .bias = bias.data(),
                            .requantize = c.prepared.data(),
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

class DepthwiseIsa : public testing::TestWithParam<Isa> {};

TEST_P(DepthwiseIsa, EqualsReference) {
  if (!DetectIsas().Has(GetParam())) GTEST_SKIP() << "skipped: needs " << IsaName(GetParam());
  const DepthwiseKernel* kernel = SelectDepthwise(IsaSet().With(GetParam()));
  if (kernel->isa != GetParam()) GTEST_SKIP() << "skipped: this build has scalar kernels only";
  uint32_t seed = 0;
  for (int channels : {1, 3, 8, 15, 16, 17, 48, 63, 64, 65, 130}) {
    for (int shape = 0; shape < 7; ++shape) {
      const ConvGeometry geometries[] = {Geometry(4, 5, channels, channels, 3, 1, 1, 1, channels),
                                         Geometry(5, 5, channels, channels, 3, 2, 1, 1, channels),
                                         Geometry(6, 6, channels, channels, 5, 1, 2, 1, channels),
                                         Geometry(3, 3, channels, channels, 1, 1, 0, 1, channels),
                                         Geometry(6, 6, channels, channels, 3, 1, 2, 2, channels),
                                         Geometry(4, 4, channels, channels, 2, 2, 0, 1, channels),
                                         Geometry(3, 3, channels, channels, 3, 1, 0, 1, channels)};
      CaseOptions options{.weight_bits = 8};
      if (shape == 1) options = {.weight_bits = 4, .has_residual = true, .output_bits = {4, 8}};
      if (shape == 2) options = {.weight_bits = 8, .has_weight_zero_points = true, .output_bits = {32}};
      if (shape == 3) options = {.weight_bits = 2, .has_codebook = true, .has_thresholds = true, .output_bits = {2}};
      if (shape == 4) options.is_extreme = true;
      if (shape == 5) options = {.has_weight_zero_points = true, .is_extreme = true, .output_bits = {8, 2}};
      if (shape == 6) options.output_bits = {2};
      Random random(++seed);
      const ConvolutionCase c(random, geometries[shape], options);
      ASSERT_EQ(RunCase(random, c, *kernel), "") << "seed " << seed << ", channels " << channels << ", shape " << shape;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, DepthwiseIsa, testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kNeon),
                         [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace aq
