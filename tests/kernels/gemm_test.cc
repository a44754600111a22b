// SPDX-License-Identifier: Apache-2.0
// Every row of the GEMM table against the reference loops, through packer and driver: exact equality.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "kernels/gemm/convolve.h"
#include "kernels/gemm/image_lines.h"
#include "kernels/gemm/pairs.h"
#include "platforms/cpu.h"
#include "tests/kernels/convolution_case.h"

namespace aq {

// A row of the table and how it gets its weights.
struct GemmWay {
  const GemmKernel* kernel;
  const PanelDecoder* decoder;  // or null
  int bits() const { return decoder != nullptr ? decoder->bits : kernel->weight_bits; }
  std::string name() const {
    return decoder != nullptr ? std::string(kernel->name) + "_from_w" + std::to_string(decoder->bits) : kernel->name;
  }
};

void PrintTo(const GemmWay& way, std::ostream* out) { *out << way.name(); }

namespace {

std::vector<GemmWay> AllWays() {
  std::vector<GemmWay> ways;
  for (const GemmKernel& kernel : AllGemmKernels()) {
    if (kernel.weight_bits <= 8 && !(LooksUp(kernel) && kernel.weight_bits == 4)) ways.push_back({&kernel, nullptr});
    for (const PanelDecoder& decoder : AllDecoders()) {
      if (FindDecoder(kernel, decoder.bits) == &decoder) ways.push_back({&kernel, &decoder});
    }
  }
  return ways;
}

size_t WidenSteps(const GemmKernel& kernel, const WeightSource& source, int32_t max_code) {
  if (LooksUp(kernel)) return CountLookupSteps(source, max_code);
  if (kernel.kr == 4) return CountWidenSteps(source, max_code);
  int32_t max_weight = 0;
  const size_t row = source.taps * source.k;
  for (size_t i = 0; i < source.n * row; ++i) {
    const int zero = source.zero_points != nullptr ? source.zero_points[i / row] : 0;
    const int value = DecodeWeight(CodeAt(source.codes, i, source.bits), source.bits, source.codebook) - zero;
    max_weight = std::max(max_weight, std::abs(value));
  }
  return CountWidenSteps(kernel, max_weight, max_code);
}

// Packs and runs one case one way, the output pixels split in two at a random place, the second half also by channels.
std::string RunCase(Random& random, const ConvolutionCase& c, const GemmWay& way) {
  const GemmKernel& kernel = *way.kernel;
  const ConvGeometry& g = c.file.geometry;
  const size_t groups = static_cast<size_t>(g.groups), n = static_cast<size_t>(g.out_c) / groups;
  const size_t kr = static_cast<size_t>(kernel.kr), columns = PackedColumns(kernel, n);
  WeightSource source{.codes = c.file.codes,
                      .bits = c.file.bits,
                      .codebook = c.file.codebook,
                      .zero_points = c.file.weight_zero_points,
                      .n = static_cast<size_t>(g.out_c),
                      .taps = static_cast<size_t>(g.kernel_h * g.kernel_w),
                      .k = static_cast<size_t>(g.in_c) / groups,
                      .lines = LinesOf(g, c.file.codebook == nullptr && c.file.weight_zero_points == nullptr)};
  const bool looks_up = LooksUp(kernel), decodes = way.decoder != nullptr && !looks_up;
  const PairTable pairs = looks_up ? MakePairTable(source.codebook) : PairTable();
  if (!decodes) source.zero_points = nullptr;
  const size_t widen_steps = WidenSteps(kernel, source, c.max_code);
  const size_t planes = looks_up ? 2 : kernel.weight_bits < 8 ? static_cast<size_t>(8 / kernel.weight_bits) : 1;
  if (kernel.max_pair < INT32_MAX && widen_steps < planes) return "the case does not suit the kernel";
  source.n = n;
  const size_t bytes = PackedBytes(kernel, source);
  AlignedBlock packed = AlignedBlock::Allocate(groups * bytes);
  std::vector<int32_t> bias(groups * columns), row_zero_points(groups * columns);
  std::vector<int8_t> decode_zero_points(groups * columns * kr);
  for (size_t group = 0; group < groups; ++group) {
    source.first_n = group * n;
    PackWeights(source, kernel, packed.data() + group * bytes);
    PackBias(source, kernel, c.bias.data() + group * n, bias.data() + group * columns);
    PackZeroPoints(source, kernel, decode_zero_points.data() + group * columns * kr);
    for (size_t i = 0; i < n; ++i) {
      const int32_t zero = c.zero_points.empty() ? 0 : c.zero_points[group * n + i];
      row_zero_points[group * columns + i] = zero - pairs.centre;
    }
  }
  ConvolutionBuffers buffers(c);
  const bool sums_rows = (!decodes && !c.zero_points.empty()) || pairs.centre != 0;
  Convolution convolution{.geometry = g,
                          .kernel = &kernel,
                          .decoder = way.decoder,
                          .widen_steps = widen_steps,
                          .lines = source.lines,
                          .weight_bits = c.file.bits,
                          .packed = packed.data(),
                          .packed_group_bytes = bytes,
                          .pairs = &pairs,
                          .bias = bias.data(),
                          .weight_zero_points = sums_rows ? row_zero_points.data() : nullptr,
                          .decode_zero_points = decodes ? decode_zero_points.data() : nullptr,
                          .requantize = c.prepared.data(),
                          .outputs = c.file.outputs,
                          .pad_row = buffers.pad_row.data(),
                          .pads_with_zero = std::ranges::all_of(c.pad_codes, [](uint8_t code) { return code == 0; })};
  ExpandCodebook(c.file.bits, c.file.codebook, convolution.codebook);
  AlignedBlock scratch = AlignedBlock::Allocate(ConvolveScratchBytes(convolution));
  const size_t m = static_cast<size_t>(g.out_h * g.out_w);
  const size_t split = static_cast<size_t>(random.Between(0, static_cast<int64_t>(m)));
  Convolve(convolution, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), 0, split, scratch.data());
  const size_t panels = columns / static_cast<size_t>(kernel.nr);
  const size_t cut = groups > 1 ? panels : static_cast<size_t>(random.Between(0, static_cast<int64_t>(panels)));
  for (const ConvolveRange& range : {ConvolveRange{split, m, cut, panels}, ConvolveRange{split, m, 0, cut}}) {
    if (range.panel_begin == range.panel_end) continue;
    ConvolvePart(convolution, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), range,
                 scratch.data());
  }
  return buffers.FirstDifference(c);
}

std::vector<ConvGeometry> Geometries(const GemmKernel& kernel) {
  const int mr = kernel.mr, nr = kernel.nr, block = kernel.kr * (kernel.weight_bits < 8 ? 8 / kernel.weight_bits : 1);
  std::vector<ConvGeometry> list;
  for (int m : {1, mr - 1, mr, mr + 1, 13}) {
    if (m > 0) list.push_back(Geometry(1, m, block + 3, nr + 1, 1, 1, 0, 1, 1));
  }
  for (int n : {1, nr - 1, nr, nr + 1, 2 * nr + 3}) list.push_back(Geometry(1, 3, 17, n, 1, 1, 0, 1, 1));
  for (int k : {1, block - 1, block, block + 1, 2 * block, 37}) list.push_back(Geometry(2, 2, k, 7, 1, 1, 0, 1, 1));
  list.push_back(Geometry(1, 1, 304, 40, 1, 1, 0, 1, 1));  // dense
  list.push_back(Geometry(6, 5, 48, 10, 3, 1, 1, 1, 1));   // several widenings, across taps
  list.push_back(Geometry(20, 21, 3, 8, 3, 1, 1, 1, 1));   // several blocks of rows
  list.push_back(Geometry(11, 10, 16, 5, 1, 1, 0, 1, 1));
  list.push_back(Geometry(5, 7, 5, 9, 3, 1, 1, 1, 1));
  list.push_back(Geometry(6, 5, 3, 17, 3, 2, 1, 1, 1));
  list.push_back(Geometry(7, 7, 3, 5, 5, 2, 2, 1, 1));
  list.push_back(Geometry(7, 6, 4, 6, 3, 1, 2, 2, 1));
  list.push_back(Geometry(3, 9, 64, 5, 3, 1, 4, 1, 1));  // lines of output pixels that see padding only
  list.push_back(Geometry(5, 14, 64, 5, 3, 2, 1, 1, 1));
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

// Feature combinations a way promises to be exact for.
std::vector<CaseOptions> Features(const GemmWay& way) {
  const bool is_narrow = way.kernel->max_pair < INT32_MAX, subtracts = way.decoder != nullptr;
  const int bits = way.bits(), planes = way.kernel->weight_bits < 8 ? 8 / bits : 1;
  // The largest weight, less its zero point where that is subtracted first, of which `planes` steps fit.
  const int flip = way.kernel->activation_flip;
  const int max_code = way.kernel->max_pair == kByteLimit    ? 3
                       : is_narrow && bits == 8 && flip == 0 ? 127
                                                             : MaxCode(*way.kernel);
  const int limit = is_narrow ? way.kernel->max_pair / (2 * std::max(max_code + flip, -flip) * planes) : 127;
  CaseOptions plain{.weight_bits = bits, .max_code = max_code, .max_weight = is_narrow ? std::min(limit, 128) : 128};
  CaseOptions asymmetric = plain;
  asymmetric.has_weight_zero_points = true;
  if (subtracts && way.kernel->weight_bits == 8) {
    asymmetric.max_zero_point = std::min(limit, 127) - (1 << (bits - 1));
    if (bits < 8) asymmetric.max_weight = 1 << (bits - 1);
  }
  std::vector<CaseOptions> list(8, plain);
  list[0].output_bits = {8};
  list[1].output_bits = {2, 8};
  list[1].has_residual = true;
  list[2] = asymmetric;
  list[2].output_bits = {4};
  list[3].output_bits = {32};
  list[3].is_extreme = true;
  list[4].output_bits = {2};
  list[4].has_thresholds = true;
  list[5] = asymmetric;
  list[5].output_bits = {2, 32};
  list[5].has_thresholds = list[5].has_residual = list[5].is_extreme = true;
  list[6].output_bits = {32, 4};
  list[6].has_codebook = bits < 8;
  list[6].is_extreme = true;
  list[7].output_bits = {8, 4};
  list[7].has_codebook = bits < 8;
  list[7].has_residual = true;
  for (const size_t i : {2, 3, 7}) list[i].pads_with_zero = true;
  if (is_narrow) {  // long runs between widenings
    list.push_back(list[3]);
    list.back().max_code = std::min(max_code, 15);
    list.push_back(list[0]);
    list.back().max_code = 3;
  }
  return list;
}

class GemmTable : public testing::TestWithParam<GemmWay> {};

TEST_P(GemmTable, EqualsReference) {
  const GemmWay& way = GetParam();
  if (!DetectIsas().Has(way.kernel->isa)) GTEST_SKIP() << "skipped: needs " << IsaName(way.kernel->isa);
  uint32_t seed = 1;
  for (const ConvGeometry& geometry : Geometries(*way.kernel)) {
    if (LooksUp(*way.kernel) && geometry.groups > 1) continue;
    for (const CaseOptions& options : Features(way)) {
      Random random(++seed);
      const ConvolutionCase c(random, geometry, options);
      ASSERT_EQ(RunCase(random, c, way), "")
          << way.name() << ", seed " << seed << ", in " << geometry.in_h << "x" << geometry.in_w << "x" << geometry.in_c
          << ", out " << geometry.out_c << ", kernel " << geometry.kernel_h << "x" << geometry.kernel_w << ", groups "
          << geometry.groups << ", weight bits " << options.weight_bits << ", output bits " << options.output_bits[0];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllRows, GemmTable, testing::ValuesIn(AllWays()),
                         [](const auto& info) { return info.param.name(); });

TEST(LookUpTiles, EqualReferenceOnImagesOfManyStrips) {
  Random random(1);
  for (const ConvGeometry& geometry : {Geometry(40, 39, 400, 2, 3, 1, 1, 1, 1), Geometry(41, 40, 401, 1, 3, 2, 0, 2, 1),
                                       Geometry(90, 41, 402, 1, 1, 2, 0, 1, 1)}) {
    const ConvolutionCase c(random, geometry, {.weight_bits = 2, .max_code = 3, .has_weight_zero_points = true});
    for (const GemmWay& way : AllWays()) {
      if (!LooksUp(*way.kernel) || !DetectIsas().Has(way.kernel->isa)) continue;
      ASSERT_EQ(RunCase(random, c, way), "") << way.name() << ", in " << geometry.in_h << "x" << geometry.in_w;
    }
  }
}

TEST(SelectGemm, TakesInt16SumsOnlyWhereTheWeightsAllow) {
  for (int bits : {2, 4, 8}) {
    for (size_t m : {size_t{1}, size_t{7}, size_t{196}}) {
      GemmShape shape{.m = m, .n = 64, .k = 64, .weight_bits = bits, .max_pair = 2 * 128 * 255, .widen_steps = 0};
      const IsaSet avx2 = IsaSet().With(Isa::kAvx2);
      EXPECT_EQ(SelectGemm(shape, avx2).kernel->max_pair, INT32_MAX);
      shape.widen_steps = 8;
      const GemmChoice choice = SelectGemm(shape, avx2);
      EXPECT_EQ(choice.widen_steps, choice.kernel->max_pair < INT32_MAX ? 8 : 1);
      shape.has_zero_points = true;  // subtracted by a decoder, else only max_pair is known
      EXPECT_TRUE(SelectGemm(shape, avx2).kernel->max_pair == INT32_MAX || SelectGemm(shape, avx2).decoder != nullptr);
      shape.fits_int8 = false;
      EXPECT_EQ(SelectGemm(shape, avx2).kernel->max_pair, INT32_MAX);
    }
  }
}

TEST(SelectGemm, TakesTheNewestIsaAndTileHeightByRows) {
  const GemmShape dense{.m = 1, .n = 1000, .k = 1024, .max_pair = 2 * 128 * 255, .widen_steps = 0};
  const GemmShape image{.m = 196, .n = 256, .k = 256, .taps = 9, .max_pair = 2 * 128 * 255, .widen_steps = 0};
  const IsaSet all = IsaSet().With(Isa::kAvx2).With(Isa::kAvxVnni);
  EXPECT_STREQ(SelectGemm(dense, IsaSet()).kernel->name, "scalar_w8a8_1x4");
  EXPECT_STREQ(SelectGemm(image, IsaSet()).kernel->name, "scalar_w8a8_2x4");
  if (!KernelIsas().Has(Isa::kAvx2)) GTEST_SKIP() << "skipped: this build has no x86 kernels";
  EXPECT_STREQ(SelectGemm(dense, all).kernel->name, "avxvnni_w8a8_1x32");
  EXPECT_STREQ(SelectGemm(image, all).kernel->name, "avxvnni_w8a8_6x16");
  EXPECT_EQ(SelectGemm(image, IsaSet().With(Isa::kAvx2)).kernel->weight_bits, 16);
}

// All weights the lowest, `length` of them.
size_t StepsOfLowest(int bits, int max_code, size_t length) {
  std::vector<uint8_t> codes(length);
  for (size_t i = 0; i < length; ++i) SetCodeAt(codes.data(), i, bits, static_cast<uint8_t>(1 << (bits - 1)));
  return CountWidenSteps({.codes = codes.data(), .bits = bits, .n = 1, .taps = 1, .k = length}, max_code);
}

TEST(CountWidenSteps, IsTheBoundOfTheWidthsForExtremeWeights) {
  EXPECT_EQ(StepsOfLowest(8, 255, 64), 0);
  EXPECT_EQ(StepsOfLowest(4, 255, 64), 8);
  EXPECT_EQ(StepsOfLowest(2, 255, 256), 32);
  EXPECT_EQ(StepsOfLowest(4, 15, 1024), 136);
  EXPECT_EQ(StepsOfLowest(2, 15, 4096), 546);
  EXPECT_EQ(StepsOfLowest(2, 3, 16384), 2730);
  EXPECT_EQ(StepsOfLowest(2, 3, 64), 20);  // never within the row
}

TEST(CountWidenSteps, TriesEveryWindowAndBothSigns) {
  // One lane of pairs per step: (16, 16), so 4 steps of 255 * 32 fit (limit 128), or (-16, -16) after a gap.
  const int8_t codebook[4] = {0, 16, -16, 1};
  const auto steps = [&](std::vector<uint8_t> pairs, const int8_t* zero) {
    std::vector<uint8_t> codes(pairs.size() + 8);
    for (size_t i = 0; i < pairs.size(); ++i) {
      SetCodeAt(codes.data(), i * 4 + 2, 2, pairs[i]);
      SetCodeAt(codes.data(), i * 4 + 3, 2, pairs[i]);
    }
    return CountWidenSteps(
        {.codes = codes.data(), .bits = 2, .codebook = codebook, .zero_points = zero, .n = 1, .k = pairs.size() * 4},
        255);
  };
  EXPECT_EQ(steps({1, 1, 1, 1, 2, 2, 2, 2}, nullptr), 12);  // never more than four of a sign
  EXPECT_EQ(steps({0, 0, 1, 1, 1, 1, 1, 0}, nullptr), 4);   // the fifth is too many
  EXPECT_EQ(steps({2, 0, 2, 0, 2, 2, 0, 2}, nullptr), 7);   // five within eight steps
  EXPECT_EQ(steps({1, 1, 1, 3, 3, 3, 0, 0, 1, 1}, nullptr), 8);
  const int8_t zero = 16;
  EXPECT_EQ(steps({2, 1, 1, 1, 2, 1}, &zero), 4);  // the other lane is (-16, -16) all along
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
