// SPDX-License-Identifier: Apache-2.0
// Adaptive rounding end to end on a tiny network: Convert() fails unless the runtime and the simulation agree in every
// bit, so every border class passes through the file here.
#include "converter/reconstruct.h"

#include <gtest/gtest.h>

#include <cmath>

#include "converter/calibrate.h"
#include "converter/quantize.h"
#include "converter/recipe.h"
#include "kernels/numerics.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

constexpr Border kBorders[] = {Border::kNone, Border::kAffine, Border::kAffineChannel, Border::kFree,
                               Border::kFreeChannel};

// Stem, a residual block, one with a shortcut and a separate addition, and a head with dense layers.
Graph TinyResNet() {
  GraphBuilder b({1, 3, 10, 10});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 8, Square(3, 1, 1));
  const ValueId block_a = b.AddConv("a2", a, 8, Square(3, 1, 1), 1, stem);
  const ValueId c = b.AddConv("b1", block_a, 12, Square(3, 2, 1));
  const ValueId d = b.AddConv("b2", c, 12, Square(3, 1, 1), 1, -1, -kInfinity);
  const ValueId shortcut = b.AddConv("shortcut", block_a, 12, Square(1, 2, 0), 1, -1, -kInfinity);
  const ValueId sum = b.AddNode("add", Add{}, {d, shortcut}, b.ShapeOf(d), 0);
  const ValueId hidden = b.AddDense("hidden", b.AddFlatten("flatten", sum), 16, 0);
  return b.Finish({b.AddDense("dense", hidden, 5)});
}

// Code copies: max pool and a concatenation whose inputs share one quantisation, and a ReLU6.
Graph TinyInception() {
  GraphBuilder b({1, 3, 10, 10});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId pooled = b.AddPool("max", stem, PoolKind::kMax, Square(2, 2));
  const ValueId left = b.AddConv("left", pooled, 6, Square(1));
  const ValueId right = b.AddConv("right", pooled, 4, Square(3, 1, 1));
  const ValueId both = b.AddNode("concat", Concat{1}, {left, right}, {1, 10, 5, 5});
  const ValueId narrow = b.AddConv("narrow", both, 8, Square(1), 1, -1, 0, 6);
  const ValueId last = b.AddConv("last", narrow, 8, Square(3, 1, 1), 8);
  return b.Finish({b.AddDense("dense", b.AddFlatten("flatten", b.AddGlobalPool("pool", last)), 5)});
}

ConvertOptions Options(Bits bits, Border border) {
  ConvertOptions options;
  options.bits = bits;
  options.preprocess = ImagenetPreprocess();
  options.calibration_count = 40;
  options.check_count = 6;
  options.rounding = Rounding::kAdaptive;
  options.border = border;
  options.iterations = 60;
  options.learn_biases = false;
  options.tune_iterations = 0;
  return options;
}

std::vector<uint8_t> MustConvert(const Graph& graph, const ConvertOptions& options, ConvertReport* report) {
  const RandomImages images(40, graph.values[0].shape, 1);
  const auto file = Convert(graph, images, options, nullptr, report);
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.ok() ? file.value() : std::vector<uint8_t>();
}

TEST(Reconstruct, LowersEveryBlocksLossAndStaysBitExactWithEveryBorder) {
  const Graph graph = TinyResNet();
  for (const Bits bits : {Bits{2, 2}, Bits{4, 4}}) {
    for (const Border border : kBorders) {
      SCOPED_TRACE(BorderName(border));
      ConvertReport report;
      MustConvert(graph, Options(bits, border), &report);
      EXPECT_EQ(report.differences, 0u);
      ASSERT_EQ(report.units.size(), 5u);
      EXPECT_FALSE(report.units[0].is_trained);  // the stem has 8 bits
      for (size_t i = 1; i < 4; ++i) {
        EXPECT_TRUE(report.units[i].is_trained);
        EXPECT_LT(report.units[i].loss_after, report.units[i].loss_before) << report.units[i].first;
      }
    }
  }
}

TEST(Reconstruct, IsBitExactWhereCodesAreCopied) {
  const Graph graph = TinyInception();
  for (const Bits bits : {Bits{2, 2}, Bits{4, 4}}) {
    for (const Border border : kBorders) {
      SCOPED_TRACE(BorderName(border));
      ConvertReport report;
      MustConvert(graph, Options(bits, border), &report);
      EXPECT_EQ(report.differences, 0u);
    }
  }
}

TEST(Reconstruct, LearnsSingleLayersIfWanted) {
  for (const Graph& graph : {TinyResNet(), TinyInception()}) {
    for (const Border border : {Border::kNone, Border::kFreeChannel}) {
      SCOPED_TRACE(BorderName(border));
      ConvertOptions options = Options({2, 2}, border);
      options.unit_kind = UnitKind::kLayer;
      options.iterations = 100;
      ConvertReport report;
      const std::vector<uint8_t> file = MustConvert(graph, options, &report);
      EXPECT_EQ(report.differences, 0u);
      size_t layers = 0;
      for (const Node& node : graph.nodes) layers += IsWeightLayer(node);
      ASSERT_EQ(report.units.size(), layers);
      double log_ratio = 0;  // one layer alone may lose: half of its inputs were float in training
      for (size_t i = 1; i + 1 < layers; ++i) {
        EXPECT_TRUE(report.units[i].is_trained);
        log_ratio += std::log(report.units[i].loss_after / report.units[i].loss_before);
      }
      EXPECT_LT(log_ratio, std::log(0.9) * static_cast<double>(layers - 2));
      options.num_threads = 2;
      EXPECT_EQ(MustConvert(graph, options, nullptr), file);
    }
  }
}

TEST(Reconstruct, GivesTheSameBytesForTheSameSeedOnAnyNumberOfThreads) {
  const Graph graph = TinyResNet();
  ConvertOptions options = Options({2, 2}, Border::kFreeChannel);
  options.iterations = 20;
  options.learn_biases = true;
  options.tune_iterations = 5;
  const std::vector<uint8_t> file = MustConvert(graph, options, nullptr);
  for (const int threads : {1, 2, 3}) {
    options.num_threads = threads;
    EXPECT_EQ(MustConvert(graph, options, nullptr), file) << threads;
  }
  options.seed = 2;
  EXPECT_NE(MustConvert(graph, options, nullptr), file);
}

struct Learned {
  ActivationPlan plan;
  LearnedQuantization learned;
  Quantized quantized;
};

Learned MustLearn(const Graph& graph, const ConvertOptions& options) {
  const RandomImages images(40, graph.values[0].shape, 1);
  const std::vector<size_t> indices = ChooseImages(40, options.calibration_count, options.seed);
  auto plan = PlanActivations(graph, options);
  EXPECT_TRUE(plan.ok());
  auto calibration = Calibrate(graph, plan.value(), images, indices, options, nullptr);
  EXPECT_TRUE(calibration.ok());
  ConvertReport report;
  auto learned =
      Reconstruct(graph, plan.value(), calibration.value().groups, images, indices, options, nullptr, &report);
  EXPECT_TRUE(learned.ok()) << learned.status().message();
  auto quantized = Quantize(graph, plan.value(), calibration.value().groups, options, &learned.value());
  EXPECT_TRUE(quantized.ok()) << quantized.status().message();
  return {std::move(plan.value()), std::move(learned.value()), std::move(quantized.value())};
}

const schema::OpT& OpNamed(const Quantized& quantized, const std::string& name) {
  for (const auto& op : quantized.integer.model.ops)
    if (op->name == name) return *op;
  ADD_FAILURE() << "no op " << name;
  return *quantized.integer.model.ops[0];
}

TEST(Reconstruct, StoresEachBorderClassInItsOwnForm) {
  const Graph graph = TinyResNet();
  for (const int bits : {2, 4}) {
    for (const Border border : kBorders) {
      SCOPED_TRACE(std::string(BorderName(border)) + " " + std::to_string(bits));
      const Learned result = MustLearn(graph, Options({bits, bits}, border));
      const schema::OpT& conv = OpNamed(result.quantized, "a1");
      const schema::TensorT& tensor = result.quantized.integer.Tensor(conv.outputs[0]);
      const schema::RequantizeT& rq = *conv.requantize[0];
      const bool by_threshold = border == Border::kFreeChannel && bits == 2;
      const bool by_offset = border == Border::kAffineChannel || (border == Border::kFreeChannel && bits == 4);
      EXPECT_EQ(tensor.border.size(), border == Border::kFree ? 16u : 0u);
      EXPECT_EQ(tensor.channel_thresholds.size(), by_threshold ? 24u : 0u);
      EXPECT_EQ(rq.offset.size(), by_offset ? 8u : 1u);
      if (border == Border::kNone) {
        EXPECT_EQ(rq.offset[0], tensor.zero_point << kFractionBits);
      }
      if (by_offset) {
        const schema::RequantizeT& with_residual = *OpNamed(result.quantized, "a2").requantize[0];
        EXPECT_EQ(with_residual.residual_ratio.size(), 8u);
        EXPECT_EQ(OpNamed(result.quantized, "add").requantize[0]->ratio.size(), 12u);
      }
    }
  }
}

TEST(Tune, BringsTheNetworkCloserToFloatOnHeldBackImages) {
  const Graph graph = TinyResNet();
  for (const Border border : {Border::kNone, Border::kFreeChannel}) {
    ConvertOptions options = Options({2, 2, 8}, border);
    options.iterations = 1;  // leaves something to do
    options.tune_iterations = 80;
    ConvertReport report;
    const std::vector<uint8_t> file = MustConvert(graph, options, &report);
    EXPECT_EQ(report.differences, 0u);
    EXPECT_EQ(report.tuning.iterations, 80);
    EXPECT_TRUE(report.tuning.is_kept);
    EXPECT_LT(report.tuning.divergence_after, report.tuning.divergence_before);
    EXPECT_EQ(file, MustConvert(graph, options, &report)) << "same seed, other bytes";
  }
}

// A few steps only: some seeds end further from float than they began, some of them not with slower steps.
TEST(Tune, LeavesTheNetworkAloneWhereItDoesNotHelp) {
  const Graph graph = TinyResNet();
  int kept = 0, kept_later = 0, refused = 0;
  for (uint64_t seed = 1; seed <= 20 && (kept == 0 || kept_later == 0 || refused == 0); ++seed) {
    ConvertOptions options = Options({4, 4}, Border::kAffineChannel);
    options.iterations = 30;
    options.seed = seed;
    ConvertReport report, untuned;
    const std::vector<uint8_t> plain = MustConvert(graph, options, &untuned);
    options.tune_iterations = 1;
    const std::vector<uint8_t> tuned = MustConvert(graph, options, &report);
    EXPECT_EQ(report.tuning.is_kept, report.tuning.divergence_after < report.tuning.divergence_before);
    const bool is_first = report.tuning.rate == 1;
    EXPECT_TRUE(report.tuning.is_kept || !is_first) << "no second attempt";
    ++(!report.tuning.is_kept ? refused : is_first ? kept : kept_later);
    if (report.tuning.is_kept) continue;
    ASSERT_EQ(report.layers.size(), untuned.layers.size());
    for (size_t i = 0; i < report.layers.size(); ++i) EXPECT_EQ(report.layers[i].sqnr_db, untuned.layers[i].sqnr_db);
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(kept_later, 0);
  EXPECT_GT(refused, 0);
}

TEST(Reconstruct, HasNothingToLearnAtEightBits) {
  const Graph graph = TinyResNet();
  ConvertOptions options = Options({8, 8}, Border::kAffineChannel);
  ConvertReport report;
  const std::vector<uint8_t> adaptive = MustConvert(graph, options, &report);
  EXPECT_TRUE(report.units.empty());
  options.rounding = Rounding::kNearest;
  EXPECT_EQ(adaptive, MustConvert(graph, options, &report));
}

TEST(Reconstruct, RefusesToRunWithoutIterations) {
  const Graph graph = TinyResNet();
  ConvertOptions options = Options({2, 2}, Border::kNone);
  options.iterations = 0;
  const auto file = Convert(graph, RandomImages(4, graph.values[0].shape, 1), options, nullptr, nullptr);
  EXPECT_EQ(file.status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace aq::converter
