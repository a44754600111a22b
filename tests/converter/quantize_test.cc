// SPDX-License-Identifier: Apache-2.0
// Decisions of the activation plan and the numbers Quantize() writes; behaviour end to end is convert_test.cc's.
#include "converter/quantize.h"

#include <gtest/gtest.h>

#include "converter/activation_plan.h"
#include "kernels/numerics.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

ConvertOptions Options(Bits bits, Edges edges = Edges::kQdrop) {
  ConvertOptions options;
  options.bits = bits;
  options.edges = edges;
  options.ranges = Ranges::kMinMax;
  options.preprocess = ImagenetPreprocess();
  return options;
}

struct Net {
  Graph graph;
  ValueId stem, pooled, a, block, global, flat, logits;
};

// stem -> max pool -> a -> block (residual: pool) -> global pool -> flatten -> fc
Net MakeNet() {
  GraphBuilder b({1, 3, 8, 8});
  Net net;
  net.stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  net.pooled = b.AddPool("maxpool", net.stem, PoolKind::kMax, Square(2, 2));
  net.a = b.AddConv("a", net.pooled, 8, Square(3, 1, 1));
  net.block = b.AddConv("block", net.a, 8, Square(3, 1, 1), 1, net.pooled);
  net.global = b.AddGlobalPool("global", net.block);
  net.flat = b.AddFlatten("flatten", net.global);
  net.logits = b.AddDense("fc", net.flat, 10);
  net.graph = b.Finish({net.logits});
  return net;
}

std::vector<Histogram> UnitRanges(const Graph& graph) {
  std::vector<Histogram> groups(graph.values.size());
  for (Histogram& group : groups) group.range = {0, 4};
  return groups;
}

using Widths = std::vector<int>;

TEST(ActivationPlan, ConsumersDecideTheWidth) {
  const Net net = MakeNet();
  const auto plan = PlanActivations(net.graph, Options({4, 2}));
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  const auto widths = [&](ValueId v) { return plan->widths[static_cast<size_t>(v)]; };
  EXPECT_EQ(widths(net.graph.input), Widths{8});
  EXPECT_EQ(widths(net.stem), Widths{2});    // asked of the pool's output, so of its input
  EXPECT_EQ(widths(net.pooled), Widths{2});  // the shortcut reads the convolution's tensor
  EXPECT_EQ(widths(net.a), Widths{2});
  EXPECT_EQ(widths(net.block), Widths{8});  // read by the average pool only
  EXPECT_EQ(widths(net.global), Widths{8});
  EXPECT_EQ(widths(net.flat), Widths{8});
  EXPECT_EQ(widths(net.logits), Widths{kRawBits});
  EXPECT_EQ(plan->group[static_cast<size_t>(net.stem)], plan->group[static_cast<size_t>(net.pooled)]);
  EXPECT_NE(plan->group[static_cast<size_t>(net.stem)], plan->group[static_cast<size_t>(net.a)]);
  EXPECT_FALSE(plan->is_observed[static_cast<size_t>(net.pooled)]);
}

TEST(ActivationPlan, BrecqKeepsTheFirstOutputAtEightBits) {
  const Net net = MakeNet();
  const auto plan = PlanActivations(net.graph, Options({4, 2}, Edges::kBrecq));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->widths[static_cast<size_t>(net.stem)], Widths{8});
  EXPECT_EQ(plan->widths[static_cast<size_t>(net.pooled)], Widths{8});
  EXPECT_EQ(plan->widths[static_cast<size_t>(net.a)], Widths{2});
}

TEST(ActivationPlan, TwoRecipesStoreOneValueTwice) {
  GraphBuilder b({1, 3, 4, 4});
  const ValueId x = b.AddConv("stem", b.graph.input, 4, Square(1));
  const ValueId y = b.AddConv("low", x, 4, Square(1)), z = b.AddConv("high", x, 4, Square(1), 1, y);
  const Graph graph = b.Finish({b.AddConv("last", z, 4, Square(1), 1, -1, -kInfinity)});
  ConvertOptions options = Options({2, 2});
  options.layers = {{"^high$", {2, 8}}};
  const auto plan = PlanActivations(graph, options);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->widths[static_cast<size_t>(x)], (Widths{8, 2}));
  const auto quantized = Quantize(graph, plan.value(), UnitRanges(graph), options);
  ASSERT_TRUE(quantized.ok()) << quantized.status().message();
  const schema::OpT& stem = *quantized->integer.model.ops[0];
  ASSERT_EQ(stem.outputs.size(), 2u);
  EXPECT_EQ(quantized->integer.Tensor(stem.outputs[0]).bits, 8);
  EXPECT_EQ(quantized->integer.Tensor(stem.outputs[1]).bits, 2);
  EXPECT_EQ(quantized->integer.model.ops[1]->inputs[0], stem.outputs[1]);
  EXPECT_EQ(quantized->integer.model.ops[2]->inputs[0], stem.outputs[0]);
}

TEST(Quantize, PreprocessingIsFoldedIntoTheFirstLayer) {
  const Net net = MakeNet();
  const ConvertOptions options = Options({8, 8});
  const auto plan = PlanActivations(net.graph, options);
  const auto quantized = Quantize(net.graph, plan.value(), UnitRanges(net.graph), options);
  ASSERT_TRUE(quantized.ok()) << quantized.status().message();
  const schema::TensorT& input = quantized->integer.Tensor(0);
  EXPECT_EQ(input.scale, 1);
  EXPECT_EQ(input.zero_point, 0);
  EXPECT_EQ(input.shape, (std::vector<int32_t>{1, 8, 8, 3}));
  const schema::OpT& op = *quantized->integer.model.ops[0];
  const schema::Conv2DT& conv = *op.attributes.AsConv2D();
  EXPECT_EQ(conv.pad_codes, (std::vector<uint8_t>{124, 116, 104}));
  // The bias in real units is the float bias less the weights times mean / deviation.
  const Conv& reference = std::get<Conv>(net.graph.nodes[0].attributes);
  for (size_t n = 0; n < 8; ++n) {
    double expected = reference.bias[n];
    for (size_t i = 0; i < 27; ++i)
      expected -= reference.weights[n * 27 + i] * options.preprocess.mean[i / 9] / options.preprocess.stddev[i / 9];
    const double unit = conv.weights->scale[n];
    EXPECT_NEAR(conv.weights->bias[n] * unit, expected, unit);
  }
}

TEST(Quantize, ReluTensorsHaveZeroPointZeroAndLogitsAreRaw) {
  const Net net = MakeNet();
  const ConvertOptions options = Options({4, 4});
  const auto plan = PlanActivations(net.graph, options);
  const auto quantized = Quantize(net.graph, plan.value(), UnitRanges(net.graph), options);
  ASSERT_TRUE(quantized.ok()) << quantized.status().message();
  for (const auto& tensor : quantized->integer.model.tensors) EXPECT_EQ(tensor->zero_point, 0) << tensor->name;
  const schema::TensorT& logits = quantized->integer.Tensor(quantized->integer.model.outputs[0]);
  EXPECT_EQ(logits.bits, 32);
  EXPECT_EQ(logits.name, "fc_out");
  EXPECT_LT(logits.scale, 1e-3f);  // at least 16 bits below the largest logit
}

TEST(Quantize, PoolCountsFollowThePadding) {
  for (const bool is_padded : {false, true}) {
    GraphBuilder b({1, 3, 6, 6});
    const ValueId x = b.AddConv("stem", b.graph.input, 4, Square(1));
    const ValueId pooled = b.AddPool("pool", x, PoolKind::kAverage, Square(3, 1, is_padded ? 1 : 0));
    const Graph graph = b.Finish({b.AddConv("last", pooled, 4, Square(1), 1, -1, -kInfinity)});
    const ConvertOptions options = Options({8, 8});
    const auto plan = PlanActivations(graph, options);
    const auto quantized = Quantize(graph, plan.value(), UnitRanges(graph), options);
    ASSERT_TRUE(quantized.ok()) << quantized.status().message();
    const schema::OpT& op = *quantized->integer.model.ops[1];
    EXPECT_EQ(op.requantize[0]->multiplier.size(), is_padded ? 9u : 1u);
    EXPECT_EQ(op.attributes.AsPool()->count_include_pad, !is_padded);
  }
}

}  // namespace
}  // namespace aq::converter
