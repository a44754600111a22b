// SPDX-License-Identifier: Apache-2.0
// Winograd convolution against the reference loops: every row of the table with every tile that can multiply its
// products, exact equality. And the bounds it is allowed by.
#include "kernels/winograd/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "kernels/winograd/line_form.h"
#include "kernels/winograd/lines.h"
#include "kernels/winograd/prepare.h"
#include "kernels/winograd/select.h"
#include "tests/kernels/convolution_case.h"

namespace aq {

struct WinogradWay {
  const WinogradTransforms* transforms;
  const GemmKernel* kernel;
  int bits;  // of the codes
  bool is_int16() const { return transforms->value_bytes == 2; }
  std::string name() const {
    return std::string(transforms->name) + "_" + kernel->name + "_from_w" + std::to_string(bits);
  }
};

void PrintTo(const WinogradWay& way, std::ostream* out) { *out << way.name(); }

namespace {

std::vector<WinogradWay> AllWays() {
  std::vector<WinogradWay> ways;
  for (const WinogradTransforms& transforms : AllWinogradTransforms()) {
    for (const GemmKernel& kernel : AllGemmKernels()) {
      for (const int bits : {2, 4, 8}) {
        if (transforms.value_bytes == 2 && kernel.weight_bits == 16) ways.push_back({&transforms, &kernel, bits});
        const bool takes_bytes = kernel.weight_bits == 8 && FindDecoder(kernel, bits) != nullptr;
        if (transforms.value_bytes == 1 && takes_bytes) ways.push_back({&transforms, &kernel, bits});
      }
    }
  }
  return ways;
}

WeightSource SourceOf(const ConvolutionCase& c) {
  return {.codes = c.file.codes,
          .bits = c.file.bits,
          .codebook = c.file.codebook,
          .zero_points = c.file.weight_zero_points,
          .n = static_cast<size_t>(c.file.geometry.out_c),
          .taps = static_cast<size_t>(c.file.geometry.kernel_h * c.file.geometry.kernel_w),
          .k = static_cast<size_t>(c.file.geometry.in_c)};
}

// Units and panels split at random places.
template <class Run>
void RunSplit(Random& random, size_t units, size_t panels, Run&& run) {
  const size_t split = static_cast<size_t>(random.Between(0, static_cast<int64_t>(units)));
  const size_t cut = static_cast<size_t>(random.Between(0, static_cast<int64_t>(panels)));
  for (const ConvolveRange& range : {ConvolveRange{0, split, 0, panels}, ConvolveRange{split, units, cut, panels},
                                     ConvolveRange{split, units, 0, cut}}) {
    if (range.panel_begin != range.panel_end) run(range);
  }
}

int32_t Largest(const int32_t (&of_products)[kMaxWinogradProducts]) { return *std::ranges::max_element(of_products); }

constexpr char kDoesNotFit[] = "does not fit";

// Prepares and runs one case.
std::string RunCase(Random& random, const ConvolutionCase& c, const WinogradWay& way) {
  const WinogradForm& form = *way.transforms->form;
  const GemmKernel& kernel = *way.kernel;
  WeightSource source = SourceOf(c);
  source.whole_taps = true;
  const WinogradBounds bounds = way.is_int16() ? WinogradBounds{} : FindWinogradBounds(form, source, c.max_code);
  if (!way.is_int16() && (!bounds.fits || Largest(bounds.max_codes) > MaxCode(kernel))) return kDoesNotFit;
  const size_t columns = PackedColumns(kernel, source.n), kr = static_cast<size_t>(kernel.kr);
  AlignedBlock packed = AlignedBlock::Allocate(PackedBytes(kernel, source));
  PackWeights(source, kernel, packed.data());
  std::vector<int8_t> zero_points(columns * kr);
  PackZeroPoints(source, kernel, zero_points.data());
  std::vector<int32_t> bias(static_cast<size_t>(form.out * form.out) * columns);
  WinogradBias(form, source, bounds.offsets, kernel.activation_flip, c.bias.data(), columns, bias.data());
  ConvolutionBuffers buffers(c);
  Winograd winograd{.layer = {.geometry = c.file.geometry,
                              .kernel = &kernel,
                              .weight_bits = c.file.bits,
                              .packed = packed.data(),
                              .decode_zero_points = zero_points.data(),
                              .requantize = c.prepared.data(),
                              .outputs = c.file.outputs,
                              .pad_row = buffers.pad_row.data()},
                    .transforms = way.transforms,
                    .bias = bias.data()};
  ExpandCodebook(c.file.bits, c.file.codebook, winograd.layer.codebook);
  for (int p = 0; p < form.products() && !way.is_int16(); ++p) {
    winograd.offsets[p] = bounds.offsets[p];
    winograd.widen_steps[p] = WidenSteps(
        kernel,
        {.max_code = bounds.max_codes[p], .max_weight = bounds.max_weights[p], .widen_steps = bounds.widen_steps[p]});
    if (kernel.max_pair < INT32_MAX && winograd.widen_steps[p] == 0) return kDoesNotFit;
  }
  AlignedBlock scratch = AlignedBlock::Allocate(WinogradScratchBytes(winograd));
  RunSplit(random, WinogradWindows(winograd), columns / static_cast<size_t>(kernel.nr),
           [&](const ConvolveRange& range) {
             WinogradPart(winograd, buffers.input.data(), buffers.residual_or_null, buffers.out.data(), range,
                          scratch.data());
           });
  return buffers.FirstDifference(c);
}

std::vector<ConvGeometry> Geometries(const WinogradWay& way) {
  const int vector = static_cast<int>(way.transforms->vector_bytes / way.transforms->value_bytes);
  const int nr = way.kernel->nr, step = std::max(vector, way.kernel->kr);
  std::vector<ConvGeometry> list;
  list.push_back(Geometry(1, 1, step, 1, 3, 1, 1, 1, 1));
  list.push_back(Geometry(3, 3, step, nr - 1, 3, 1, 0, 1, 1));
  list.push_back(Geometry(7, 5, 2 * step, nr, 3, 1, 1, 1, 1));
  list.push_back(Geometry(4, 9, step, nr + 3, 3, 1, 1, 1, 1));
  list.push_back(Geometry(23, 20, step, 5, 3, 1, 1, 1, 1));  // several blocks of windows
  list.push_back(Geometry(6, 6, 9 * step, 2 * nr, 3, 1, 1, 1, 1));
  ConvGeometry asymmetric = Geometry(6, 7, step, 6, 3, 1, 0, 1, 1);
  asymmetric.out_h = asymmetric.out_w = 6;
  asymmetric.pad_left = 1;
  list.push_back(asymmetric);
  return list;
}

std::vector<CaseOptions> Features(const WinogradWay& way) {
  const int bits = way.bits;
  CaseOptions plain{.weight_bits = bits, .max_code = way.transforms->form->out == 2 ? 15 : 3, .max_weight = 7};
  if (way.is_int16()) plain = {.weight_bits = bits};
  std::vector<CaseOptions> list(6, plain);
  list[0].output_bits = {8};
  list[1].output_bits = {2, 8};
  list[1].has_residual = true;
  list[2].output_bits = {4};
  list[2].has_weight_zero_points = true;
  if (!way.is_int16()) list[2].max_zero_point = 3;
  list[3].output_bits = {32};
  list[3].is_extreme = true;
  list[4].output_bits = {2, 32};
  list[4].has_thresholds = list[4].has_residual = true;
  list[4].max_code = 3;
  list[5].output_bits = {32, 4};
  list[5].has_codebook = true;
  if (!way.is_int16()) list[5].max_weight = way.transforms->form->out == 2 ? 14 : 2;
  list[5].max_code = 3;
  list[5].is_extreme = true;
  return list;
}

class WinogradTable : public testing::TestWithParam<WinogradWay> {};

TEST_P(WinogradTable, EqualsReference) {
  const WinogradWay& way = GetParam();
  for (const Isa isa : {way.kernel->isa, way.transforms->isa}) {
    if (!DetectIsas().Has(isa)) GTEST_SKIP() << "skipped: needs " << IsaName(isa);
  }
  uint32_t seed = 1;
  int exact = 0;
  for (const ConvGeometry& geometry : Geometries(way)) {
    for (const CaseOptions& options : Features(way)) {
      Random random(++seed);
      const ConvolutionCase c(random, geometry, options);
      const std::string result = RunCase(random, c, way);
      if (result == kDoesNotFit) continue;
      ++exact;
      ASSERT_EQ(result, "") << way.name() << ", seed " << seed << ", in " << geometry.in_h << "x" << geometry.in_w
                            << "x" << geometry.in_c << ", out " << geometry.out_c << ", max code " << options.max_code;
    }
  }
  // The 3x3 form is for two bits; int8 sums (NEON's w2a2 tile) hold no transformed products.
  const bool can_run = way.kernel->max_pair != kByteLimit && (way.transforms->form->out == 2 || way.bits == 2);
  EXPECT_TRUE(!can_run || exact >= 20) << exact;
}

INSTANTIATE_TEST_SUITE_P(AllRows, WinogradTable, testing::ValuesIn(AllWays()),
                         [](const auto& info) { return info.param.name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(WinogradTable);

// Weights of one output channel that are all `value`.
WinogradBounds BoundsOf(int form, int bits, int value, int max_code, size_t k) {
  std::vector<uint8_t> codes(9 * k);
  for (size_t i = 0; i < 9 * k; ++i) SetCodeAt(codes.data(), i, bits, static_cast<uint8_t>(value & MaxLevel(bits)));
  return FindWinogradBounds(kWinogradForms[form], {.codes = codes.data(), .bits = bits, .n = 1, .taps = 9, .k = k},
                            max_code);
}

TEST(FindWinogradBounds, ProvesTheBytesOfTheWidths) {
  const WinogradBounds w4a4 = BoundsOf(0, 4, -8, 15, 64);
  EXPECT_TRUE(w4a4.fits);
  EXPECT_EQ(Largest(w4a4.max_codes), 60);
  EXPECT_EQ(Largest(w4a4.max_weights), 72);
  EXPECT_EQ(w4a4.offsets[0], 30);
  EXPECT_EQ(w4a4.offsets[5], 0);
  EXPECT_EQ(w4a4.widen_steps[5], 2);  // 60 * 2 * 72: three pairs would fit, windows are powers of two
  EXPECT_EQ(w4a4.widen_steps[0], 8);
  const WinogradBounds w2a2 = BoundsOf(1, 2, -2, 3, 64);
  EXPECT_TRUE(w2a2.fits);
  EXPECT_EQ(Largest(w2a2.max_codes), 108);
  EXPECT_EQ(Largest(w2a2.max_weights), 98);
  // What is large in one is not in the other: products stay far below the largest of each multiplied.
  EXPECT_EQ(w2a2.max_codes[0], 108);
  EXPECT_EQ(w2a2.max_weights[0], 2);
  EXPECT_EQ(w2a2.max_codes[18], 12);
  EXPECT_EQ(w2a2.max_weights[18], 98);
  EXPECT_FALSE(BoundsOf(0, 4, -8, 255, 4).fits);  // activations
  EXPECT_FALSE(BoundsOf(1, 4, -8, 3, 4).fits);    // weights: 49 * 8
  EXPECT_FALSE(BoundsOf(1, 2, -2, 15, 4).fits);
}

TEST(FindWinogradBounds, SeesEveryWeight) {
  constexpr size_t kChannels = 300;  // more than a chunk
  std::vector<uint8_t> codes(2 * 9 * kChannels);
  const auto bounds = [&] {
    return FindWinogradBounds(kWinogradForms[0], {.codes = codes.data(), .bits = 4, .n = 2, .taps = 9, .k = kChannels},
                              15);
  };
  EXPECT_EQ(Largest(bounds().max_weights), 0);
  for (size_t tap = 0; tap < 9; ++tap) SetCodeAt(codes.data(), (9 + tap) * kChannels + kChannels - 1, 4, 7);
  EXPECT_EQ(Largest(bounds().max_weights), 63);
}

TEST(SelectWinograd, TakesOnlyWhatItMayTake) {
  constexpr size_t kChannels = 64;
  std::vector<uint8_t> codes(kChannels * 9 * kChannels);
  const IsaSet isas = DetectIsas();
  const auto choose = [&](const ConvGeometry& g, int bits, int max_code, int32_t acc_bound) {
    const WeightSource source{.codes = codes.data(),
                              .bits = bits,
                              .n = kChannels,
                              .taps = static_cast<size_t>(g.kernel_h * g.kernel_w),
                              .k = static_cast<size_t>(g.in_c)};
    return SelectWinograd(g, source, max_code, acc_bound, isas).transforms;
  };
  const ConvGeometry good = Geometry(14, 14, kChannels, kChannels, 3, 1, 1, 1, 1);
  if (AllWinogradTransforms().begin() == AllWinogradTransforms().end() ||
      !isas.Has(AllWinogradTransforms().begin()->isa)) {
    EXPECT_EQ(choose(good, 4, 15, 100000), nullptr);
    GTEST_SKIP() << "skipped: no Winograd rows for this machine";
  }
  EXPECT_NE(choose(good, 4, 15, 100000), nullptr);
  EXPECT_NE(choose(good, 2, 3, 100000), nullptr);
  const WinogradTransforms* wide = choose(good, 8, 15, 100000);  // int16, if anything
  EXPECT_TRUE(wide == nullptr || wide->value_bytes == 2);
  EXPECT_EQ(choose(good, 4, 255, 100000), wide);
  EXPECT_EQ(choose(good, 4, 15, INT32_MAX / 4), nullptr);
  EXPECT_EQ(choose(Geometry(14, 14, kChannels, kChannels, 3, 2, 1, 1, 1), 4, 15, 100000), nullptr);
  EXPECT_EQ(choose(Geometry(14, 14, kChannels, kChannels, 3, 1, 2, 2, 1), 4, 15, 100000), nullptr);
  EXPECT_EQ(choose(Geometry(14, 14, kChannels, kChannels, 1, 1, 0, 1, 1), 4, 15, 100000), nullptr);
  EXPECT_EQ(choose(Geometry(14, 14, 40, kChannels, 3, 1, 1, 1, 1), 4, 15, 100000), nullptr);
}

// ---- Along lines ---------------------------------------------------------------------------------------------------

std::string RunLineCase(Random& random, const ConvolutionCase& c, const LineTransforms& transforms,
                        const GemmKernel& kernel) {
  const WeightSource source = SourceOf(c);
  const size_t columns = PackedColumns(kernel, source.n);
  std::vector<int16_t> weights(LineWeightCount(c.file.geometry, kernel));
  TransformLineWeights(c.file.geometry, source, kernel, weights.data());
  std::vector<int32_t> bias(columns);
  PackBias(source, kernel, c.bias.data(), bias.data());
  ConvolutionBuffers buffers(c);
  const Convolution layer{.geometry = c.file.geometry,
                          .kernel = &kernel,
                          .bias = bias.data(),
                          .requantize = c.prepared.data(),
                          .outputs = c.file.outputs,
                          .pad_row = buffers.pad_row.data()};
  AlignedBlock scratch = AlignedBlock::Allocate(LineScratchBytes(layer));
  const size_t lines = static_cast<size_t>(layer.geometry.out_h);
  RunSplit(random, lines, columns / static_cast<size_t>(kernel.nr), [&](const ConvolveRange& range) {
    LinePart({&transforms, weights.data()}, layer, buffers.input.data(), buffers.residual_or_null, buffers.out.data(),
             range, scratch.data());
  });
  return buffers.FirstDifference(c);
}

std::vector<ConvGeometry> LineGeometries(int nr) {
  std::vector<ConvGeometry> list;
  list.push_back(Geometry(1, 1, 1, 1, 3, 1, 1, 1, 1));
  list.push_back(Geometry(9, 7, 1, 5, 1, 1, 0, 1, 1));
  list.push_back(Geometry(10, 11, 3, nr, 3, 1, 1, 1, 1));
  list.push_back(Geometry(12, 9, 8, nr + 1, 4, 1, 2, 1, 1));   // all lanes, the most taps
  list.push_back(Geometry(13, 16, 3, nr - 1, 7, 2, 3, 1, 1));  // a seventh tap where four and three make eight
  list.push_back(Geometry(15, 15, 4, 2 * nr, 5, 2, 2, 1, 1));
  list.push_back(Geometry(90, 64, 3, 5, 6, 2, 2, 1, 1));  // several blocks of lines
  list.push_back(Geometry(20, 17, 2, nr, 8, 4, 0, 1, 1));
  ConvGeometry oblong = Geometry(9, 8, 3, 4, 3, 1, 1, 1, 1);
  oblong.kernel_h = 2;
  oblong.out_h = 8;
  oblong.pad_top = 0;
  list.push_back(oblong);
  return list;
}

std::vector<CaseOptions> LineFeatures() {
  std::vector<CaseOptions> list(6);
  list[0].output_bits = {8};
  list[1].output_bits = {2, 8};
  list[1].has_residual = true;
  list[2].output_bits = {4};
  list[2].weight_bits = 4;
  list[2].has_weight_zero_points = true;
  list[3].output_bits = {32};
  list[3].is_extreme = true;
  list[4].output_bits = {2, 32};
  list[4].has_thresholds = true;
  list[4].max_code = 15;
  list[5].output_bits = {32, 4};
  list[5].weight_bits = 2;
  list[5].has_codebook = true;
  return list;
}

TEST(LineWinograd, EqualsReference) {
  uint32_t seed = 1000;
  for (const LineTransforms& transforms : AllLineTransforms()) {
    if (!DetectIsas().Has(transforms.isa)) GTEST_SKIP() << "skipped: needs " << IsaName(transforms.isa);
    for (const GemmKernel& kernel : AllGemmKernels()) {
      if (kernel.weight_bits != 16) continue;
      for (const ConvGeometry& geometry : LineGeometries(kernel.nr)) {
        for (const CaseOptions& options : LineFeatures()) {
          Random random(++seed);
          const ConvolutionCase c(random, geometry, options);
          ASSERT_NE(SelectLines(geometry, SourceOf(c), c.max_code, DetectIsas()).transforms, nullptr);
          ASSERT_EQ(RunLineCase(random, c, transforms, kernel), "")
              << kernel.name << ", seed " << seed << ", kernel " << geometry.kernel_h << "x" << geometry.kernel_w << "x"
              << geometry.in_c << " / " << geometry.stride_w << ", in " << geometry.in_h << "x" << geometry.in_w;
        }
      }
    }
  }
}

TEST(SelectLines, TakesOnlyWhatItMayTake) {
  std::vector<uint8_t> codes(64 * 8 * 49, 127);
  const auto choose = [&](const ConvGeometry& g, int32_t max_code = 255) {
    const WeightSource source{.codes = codes.data(),
                              .n = static_cast<size_t>(g.out_c),
                              .taps = static_cast<size_t>(g.kernel_h * g.kernel_w),
                              .k = static_cast<size_t>(g.in_c)};
    return SelectLines(g, source, max_code, DetectIsas()).transforms;
  };
  const LineTable table = AllLineTransforms();
  if (table.begin() == table.end() || !DetectIsas().Has(table.begin()->isa)) {
    GTEST_SKIP() << "skipped: no line transforms for this machine";
  }
  EXPECT_NE(choose(Geometry(32, 32, 3, 64, 7, 2, 3, 1, 1)), nullptr);
  EXPECT_EQ(choose(Geometry(32, 32, 3, 64, 3, 1, 1, 2, 1)), nullptr);  // dilation
  EXPECT_EQ(choose(Geometry(32, 32, 9, 64, 3, 1, 1, 1, 1)), nullptr);  // channels
  EXPECT_EQ(choose(Geometry(32, 32, 3, 64, 3, 3, 1, 1, 1)), nullptr);  // stride * channels
  EXPECT_EQ(choose(Geometry(32, 32, 1, 64, 5, 1, 2, 1, 1)), nullptr);  // taps
  EXPECT_EQ(choose(Geometry(32, 32, 3, 3, 3, 1, 1, 1, 3)), nullptr);   // groups
  const ConvGeometry big = Geometry(32, 32, 4, 8, 7, 2, 3, 1, 1);
  EXPECT_NE(choose(big, INT32_MAX / kLineDivisor / (127 * 196)), nullptr);
  EXPECT_EQ(choose(big, INT32_MAX / kLineDivisor / (127 * 196) + 1), nullptr);
}

}  // namespace
}  // namespace aq
