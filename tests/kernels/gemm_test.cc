// SPDX-License-Identifier: Apache-2.0
// Every row of the GEMM table against the reference loops, through packer and driver: exact equality.
#include <gtest/gtest.h>

#include <ostream>

#include "kernels/gemm/convolve.h"
#include "platforms/cpu.h"
#include "tests/kernels/convolution_case.h"

namespace aq {

void PrintTo(const GemmKernel& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

// Packs and runs one case on one kernel, the output pixels split in two at a random place.
std::string RunCase(Random& random, const ConvolutionCase& c, const GemmKernel& kernel) {
  const ConvGeometry& g = c.file.geometry;
  const size_t groups = static_cast<size_t>(g.groups), n = static_cast<size_t>(g.out_c) / groups;
  const size_t k = static_cast<size_t>(g.in_c) / groups, taps = static_cast<size_t>(g.kernel_h * g.kernel_w);
  const size_t columns = PackedColumns(kernel, n), bytes = PackedBytes(kernel, n, taps, k);
  AlignedBlock packed = AlignedBlock::Allocate(groups * bytes);
  std::vector<int32_t> bias(groups * columns), zero_points(groups * columns);
  for (size_t group = 0; group < groups; ++group) {
    const WeightSource source{.codes = c.file.codes,
                              .bits = c.file.bits,
                              .codebook = c.file.codebook,
                              .first_n = group * n,
                              .n = n,
                              .taps = taps,
                              .k = k};
    PackWeights(source, kernel, packed.data() + group * bytes);
    PackBias(source, kernel, c.bias.data() + group * n, bias.data() + group * columns);
    for (size_t i = 0; i < n && !c.zero_points.empty(); ++i) {
      zero_points[group * columns + i] = c.zero_points[group * n + i];
    }
  }
  ConvolutionBuffers buffers(c);
  Convolution convolution{.geometry = g,
                          .kernel = &kernel,
                          .packed = packed.data(),
                          .packed_group_bytes = bytes,
                          .bias = bias.data(),
                          .weight_zero_points = c.zero_points.empty() ? nullptr : zero_points.data(),
                          .requantize = c.prepared.data(),
                          .outputs = c.file.outputs,
                          .pad_row = buffers.pad_row.data()};
  ExpandCodebook(c.file.bits, c.file.codebook, convolution.codebook);
  AlignedBlock scratch = AlignedBlock::Allocate(ConvolveScratchBytes(convolution));
  const size_t m = static_cast<size_t>(g.out_h * g.out_w);
  const size_t split = static_cast<size_t>(random.Between(0, static_cast<int64_t>(m)));
  Convolve(convolution, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), 0, split, scratch.data());
  Convolve(convolution, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), split, m, scratch.data());
  return buffers.FirstDifference(c);
}

std::vector<ConvGeometry> Geometries(const GemmKernel& kernel) {
  const int mr = kernel.mr, nr = kernel.nr, block = kernel.kr * 8 / kernel.weight_bits;
  std::vector<ConvGeometry> list;
  for (int m : {1, mr - 1, mr, mr + 1, 13}) {
    if (m > 0) list.push_back(Geometry(1, m, block + 3, nr + 1, 1, 1, 0, 1, 1));
  }
  for (int n : {1, nr - 1, nr, nr + 1, 2 * nr + 3}) list.push_back(Geometry(1, 3, 17, n, 1, 1, 0, 1, 1));
  for (int k : {1, block - 1, block, block + 1, 2 * block, 37}) list.push_back(Geometry(2, 2, k, 7, 1, 1, 0, 1, 1));
  list.push_back(Geometry(1, 1, 300, 40, 1, 1, 0, 1, 1));  // dense
  list.push_back(Geometry(5, 7, 5, 9, 3, 1, 1, 1, 1));
  list.push_back(Geometry(6, 5, 3, 17, 3, 2, 1, 1, 1));
  list.push_back(Geometry(7, 7, 3, 5, 5, 2, 2, 1, 1));
  list.push_back(Geometry(7, 6, 4, 6, 3, 1, 2, 2, 1));
  list.push_back(Geometry(4, 4, 6, 10, 3, 1, 1, 1, 2));
  list.push_back(Geometry(3, 3, 60, 60, 1, 1, 0, 1, 15));         // groups of four channels, 60 near the padding's end
  ConvGeometry asymmetric = Geometry(6, 6, 5, 6, 3, 2, 0, 1, 1);  // TensorFlow's SAME: pad right and bottom only
  asymmetric.out_h = asymmetric.out_w = 3;
  list.push_back(asymmetric);
  asymmetric.kernel_h = 2;
  asymmetric.pad_left = 1;
  asymmetric.stride_h = 1;
  list.push_back(asymmetric);
  return list;
}

// Feature combinations a kernel's row promises to be exact for.
std::vector<CaseOptions> Features(const GemmKernel& kernel) {
  const bool is_narrow = kernel.max_pair < INT32_MAX;
  const int bits = kernel.weight_bits;
  const int max_code = is_narrow && bits == 8 ? 127 : 255;
  const int max_weight = is_narrow ? kernel.max_pair / (2 * max_code) : 128;
  const CaseOptions plain{.weight_bits = bits, .max_code = max_code, .max_weight = std::min(max_weight, 128)};
  std::vector<CaseOptions> list(8, plain);
  list[0].output_bits = {8};
  list[1].output_bits = {2, 8};
  list[1].has_residual = true;
  list[2].output_bits = {4};
  list[2].has_weight_zero_points = true;
  list[3].output_bits = {32};
  list[3].is_extreme = true;
  list[4].output_bits = {2};
  list[4].has_thresholds = true;
  list[5].output_bits = {2, 32};
  list[5].has_thresholds = list[5].has_residual = list[5].has_weight_zero_points = true;
  list[6].output_bits = {32, 4};
  list[6].has_codebook = bits < 8;
  list[6].is_extreme = true;
  list[7].output_bits = {8, 4};
  list[7].has_codebook = bits < 8;
  list[7].has_residual = true;
  if (bits == 8) {  // the packer decodes narrow codes
    list.push_back(list[7]);
    list.back().weight_bits = 4;
    list.back().has_codebook = true;
    list.push_back(list[7]);
    list.back().weight_bits = 2;
  }
  return list;
}

class GemmTable : public testing::TestWithParam<GemmKernel> {};

TEST_P(GemmTable, EqualsReference) {
  const GemmKernel& kernel = GetParam();
  if (!DetectIsas().Has(kernel.isa)) GTEST_SKIP() << "skipped: needs " << IsaName(kernel.isa);
  uint32_t seed = 1;
  for (const ConvGeometry& geometry : Geometries(kernel)) {
    for (const CaseOptions& options : Features(kernel)) {
      Random random(++seed);
      const ConvolutionCase c(random, geometry, options);
      ASSERT_EQ(RunCase(random, c, kernel), "")
          << kernel.name << ", seed " << seed << ", in " << geometry.in_h << "x" << geometry.in_w << "x"
          << geometry.in_c << ", out " << geometry.out_c << ", kernel " << geometry.kernel_h << "x" << geometry.kernel_w
          << ", groups " << geometry.groups << ", weight bits " << options.weight_bits << ", output bits "
          << options.output_bits[0];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllRows, GemmTable, testing::ValuesIn(AllGemmKernels().begin(), AllGemmKernels().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectGemm, TakesNarrowKernelsOnlyWhenPairsFit) {
  for (int bits : {2, 4, 8}) {
    for (size_t m : {size_t{1}, size_t{7}, size_t{196}}) {
      GemmShape shape{.m = m, .n = 64, .k = 64, .weight_bits = bits, .max_pair = 2 * 128 * 255};
      const IsaSet avx2 = IsaSet().With(Isa::kAvx2);
      EXPECT_GE(SelectGemm(shape, avx2)->max_pair, shape.max_pair);
      shape.max_pair = 32767;
      EXPECT_GE(SelectGemm(shape, avx2)->max_pair, 32767);
      shape.max_pair = 32768;
      EXPECT_GE(SelectGemm(shape, avx2)->max_pair, 32768);
      EXPECT_EQ(SelectGemm(shape, avx2)->weight_bits, bits);
    }
  }
}

TEST(SelectGemm, TakesTheNewestIsaAndTileHeightByRows) {
  const GemmShape dense{.m = 1, .n = 1000, .k = 1024, .max_pair = 2 * 128 * 255};
  const GemmShape image{.m = 196, .n = 256, .k = 256, .taps = 9, .max_pair = 2 * 128 * 255};
  const IsaSet all = IsaSet().With(Isa::kAvx2).With(Isa::kAvxVnni);
  EXPECT_STREQ(SelectGemm(dense, IsaSet())->name, "scalar_w8a8_1x4");
  EXPECT_STREQ(SelectGemm(image, IsaSet())->name, "scalar_w8a8_2x4");
  if (!KernelIsas().Has(Isa::kAvx2)) GTEST_SKIP() << "skipped: this build has no x86 kernels";
  EXPECT_STREQ(SelectGemm(dense, all)->name, "avxvnni_w8a8_1x32");
  EXPECT_STREQ(SelectGemm(image, all)->name, "avxvnni_w8a8_6x16");
  EXPECT_STREQ(SelectGemm(image, IsaSet().With(Isa::kAvx2))->name, "avx2_w8a8_4x16");
}

TEST(Pack, CodebookWithoutZeroIsReported) {
  const int8_t with_zero[4] = {-3, 0, 1, 3}, without[4] = {-3, -1, 1, 3};
  EXPECT_TRUE(CodebookHasZero(2, nullptr));
  EXPECT_TRUE(CodebookHasZero(2, with_zero));
  EXPECT_FALSE(CodebookHasZero(2, without));
}

TEST(Pack, BiasUndoesTheActivationFlip) {
  GemmKernel kernel = *AllGemmKernels().begin();
  kernel.activation_flip = -128;
  const uint8_t codes[6] = {1, 2, 0xFF, 4, 0x80, 6};  // [2][3]: sums 2 and -118
  const int32_t bias[2] = {10, 20};
  std::vector<int32_t> packed(PackedColumns(kernel, 2), -1);
  PackBias({.codes = codes, .n = 2, .taps = 1, .k = 3}, kernel, bias, packed.data());
  EXPECT_EQ(packed[0], 10 + 128 * 2);
  EXPECT_EQ(packed[1], 20 - 128 * 118);
  EXPECT_EQ(packed[2], 0);
}

}  // namespace
}  // namespace aq
