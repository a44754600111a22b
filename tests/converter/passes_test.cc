// SPDX-License-Identifier: Apache-2.0
// Each pass on a small graph: the shape of the result, and the same float outputs within 1e-5.
#include "converter/passes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/converter/graph_builder.h"

namespace aq::converter {
namespace {

void ExpectSameOutputs(const Graph& before, const Graph& after) {
  ASSERT_TRUE(Validate(after).ok()) << Validate(after).message() << "\n" << Dump(after);
  const std::vector<float> a = RunGraph(before), b = RunGraph(after);
  ASSERT_FALSE(a.empty());
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5f * std::max(1.0f, std::fabs(a[i]))) << i;
}

// Runs `pass`, checks the outputs and returns the ops that are left.
std::vector<std::string> OpsAfter(const Graph& before, void (*pass)(Graph*), Graph* after) {
  *after = before;
  pass(after);
  ExpectSameOutputs(before, *after);
  std::vector<std::string> ops;
  for (const Node& node : after->nodes) ops.push_back(OpName(node.attributes));
  return ops;
}
using Ops = std::vector<std::string>;

TEST(RemoveIdentities, DropsWhatChangesNothingAndKeepsTheOutputName) {
  GraphBuilder builder({1, 2, 4, 4});
  ValueId x = builder.Convolve("conv", 0, 2, 3);
  x = builder.Function1("identity", x, Function::kIdentity);
  x = builder.Node("slice", Slice{{0, 0, 0, 0}, {1, 1, 1, 1}}, {x}, {1, 2, 4, 4});
  x = builder.Node("pad", Pad{{0, 0, 0, 0}, {0, 0, 0, 0}}, {x});
  x = builder.Node("there", Transpose{{0, 2, 3, 1}}, {x});
  x = builder.Node("back", Transpose{{0, 3, 1, 2}}, {x});
  x = builder.Node("flat", Reshape{}, {x}, {1, 32});
  x = builder.Node("last", Reshape{}, {x}, {1, 2, 4, 4});
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({x}), RemoveIdentities, &after), Ops{"Conv"});
  EXPECT_EQ(after.values[static_cast<size_t>(after.outputs[0])].name, "last");
}

TEST(RemoveIdentities, TakesAChannelsLastInputAsNchw) {
  GraphBuilder builder({1, 4, 5, 3});
  const ValueId x = builder.Node("nchw", Transpose{{0, 3, 1, 2}}, {0});
  Graph graph = builder.Finish({builder.Convolve("conv", x, 2, 3)});
  RemoveIdentities(&graph);
  ASSERT_TRUE(Validate(graph).ok());
  EXPECT_EQ(graph.values[static_cast<size_t>(graph.input)].shape, (Shape{1, 3, 4, 5}));
  EXPECT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.warnings.size(), 1u);
}

TEST(FoldAffine, MovesBatchNormIntoConvWithItsStatistics) {
  GraphBuilder builder({1, 3, 5, 5});
  ValueId x = builder.Convolve("conv", 0, 4, 3);
  x = builder.Affine("bn", x);
  const std::vector<float> mean = std::get<Conv>(builder.graph.nodes.back().attributes).bn_mean;
  x = builder.Function1("scaled", x, Function::kAffine, 2.0f, 0.5f);
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({x}), FoldAffine, &after), Ops{"Conv"});
  EXPECT_EQ(after.nodes[0].name, "conv");
  const Conv& conv = std::get<Conv>(after.nodes[0].attributes);
  ASSERT_EQ(conv.bn_mean.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(conv.bn_mean[i], 2.0f * mean[i] + 0.5f);
}

TEST(FoldAffine, ReachesDenseThroughReshape) {
  GraphBuilder builder({1, 6});
  ValueId x = builder.Node("dense", Dense{RandomFloats(24, 1), RandomFloats(4, 2)}, {0});
  x = builder.Node("lift", Reshape{}, {x}, {1, 4, 1, 1});
  x = builder.Affine("bn", x);
  x = builder.Node("lower", Reshape{}, {x}, {1, 4});
  Graph after;
  OpsAfter(builder.Finish({x}), FoldAffine, &after);
  RemoveIdentities(&after);
  ASSERT_EQ(after.nodes.size(), 1u) << Dump(after);
  EXPECT_STREQ(OpName(after.nodes[0].attributes), "Dense");
}

TEST(FoldAffine, LeavesSharedClippedAndResidualProducersAlone) {
  GraphBuilder builder({1, 3, 5, 5});
  const ValueId x = builder.Convolve("conv", 0, 3, 3);
  const ValueId y = builder.Affine("bn", x);
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({x, y}), FoldAffine, &after).size(), 2u);  // x is an output
  Graph graph = builder.Finish({y});
  graph.nodes[0].clip_low = 0;
  EXPECT_EQ(OpsAfter(graph, FoldAffine, &after).size(), 2u);
  graph.nodes[0].clip_low = -kInfinity;
  graph.nodes[0].inputs.push_back(0);
  EXPECT_EQ(OpsAfter(graph, FoldAffine, &after).size(), 2u);
}

TEST(MergePads, AddsAsymmetricPaddingToConvAndAveragePool) {
  GraphBuilder builder({1, 2, 6, 6});
  ValueId x = builder.Node("pad", Pad{{0, 0, 0, 1}, {0, 0, 2, 1}}, {0});
  x = builder.Convolve("conv", x, 2, 3);
  x = builder.Node("pad2", Pad{{0, 0, 1, 0}, {0, 0, 0, 1}}, {x});
  x = builder.Node("pool", Pool{PoolKind::kAverage, {.kernel_h = 2, .kernel_w = 2}, false}, {x});
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({x}), MergePads, &after), (Ops{"Conv", "Pool"}));
  const Window& window = std::get<Conv>(after.nodes[0].attributes).window;
  EXPECT_EQ(window.pad_top, 1);
  EXPECT_EQ(window.pad_bottom, 3);
  EXPECT_EQ(window.pad_left, 2);
  EXPECT_EQ(window.pad_right, 2);
  EXPECT_TRUE(std::get<Pool>(after.nodes[1].attributes).count_include_pad);
}

TEST(MergePads, KeepsChannelPaddingAndZerosBeforeAMaxPoolOfNegatives) {
  GraphBuilder builder({1, 2, 6, 6});
  ValueId x = builder.Node("channels", Pad{{0, 1, 0, 0}, {0, 1, 0, 0}}, {0});
  x = builder.Convolve("conv", x, 2, 3);
  x = builder.Node("zeros", Pad{{0, 0, 1, 1}, {0, 0, 1, 1}}, {x});
  x = builder.Node("pool", Pool{PoolKind::kMax, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2}}, {x});
  Graph after, graph = builder.Finish({x});
  EXPECT_EQ(OpsAfter(graph, MergePads, &after).size(), 4u);
  graph.nodes[1].clip_low = 0;  // behind a Relu the zeros cannot win
  EXPECT_EQ(OpsAfter(graph, MergePads, &after), (Ops{"Pad", "Conv", "Pool"}));
}

TEST(FusePatterns, FindsSiluAndEveryHardSwish) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("a", 0, 2, 3);
  const ValueId silu = builder.Node("silu", Mul{}, {builder.Function1("s", a, Function::kSigmoid), a});
  const ValueId h1 = builder.Node("h1", Mul{}, {a, builder.Function1("hs", a, Function::kHardSigmoid, 1 / 6.0f, 0.5f)});
  ValueId gate = builder.Function1("plus3", a, Function::kAffine, 1, 3);
  gate = builder.Function1("clip", gate, Function::kClip, 0, 6);
  ValueId h2 = builder.Node("product", Mul{}, {a, gate});
  h2 = builder.Function1("h2", h2, Function::kAffine, 1 / 6.0f, 0);
  ValueId gate3 = builder.Function1("plus", a, Function::kAffine, 1, 3);
  gate3 = builder.Function1("relu6", gate3, Function::kClip, 0, 6);
  gate3 = builder.Function1("sixth", gate3, Function::kAffine, 1 / 6.0f, 0);
  const ValueId h3 = builder.Node("h3", Mul{}, {gate3, a});
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({silu, h1, h2, h3}), FusePatterns, &after),
            (Ops{"Conv", "Elementwise", "Elementwise", "Elementwise", "Elementwise"}))
      << Dump(after);
  EXPECT_EQ(std::get<Elementwise>(after.nodes[1].attributes).function, Function::kSilu);
  for (size_t i = 2; i < 5; ++i) {
    EXPECT_EQ(std::get<Elementwise>(after.nodes[i].attributes).function, Function::kHardSwish) << i;
  }
}

TEST(FuseActivations, BecomesTheClipOfTheOpBefore) {
  GraphBuilder builder({1, 2, 4, 4});
  ValueId x = builder.Convolve("conv", 0, 2, 3);
  x = builder.Function1("relu", x, Function::kRelu);
  x = builder.Function1("clip", x, Function::kClip, -1, 0.25f);
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({x}), FuseActivations, &after), Ops{"Conv"});
  EXPECT_EQ(after.nodes[0].clip_low, 0.0f);
  EXPECT_EQ(after.nodes[0].clip_high, 0.25f);
}

TEST(FuseActivations, StaysBehindMaxPoolAndSharedValuesAndPassesAReshape) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("conv", 0, 2, 3);
  const ValueId pool = builder.Node("pool", Pool{PoolKind::kMax, {.kernel_h = 2, .kernel_w = 2}}, {a});
  const ValueId r1 = builder.Function1("r1", pool, Function::kRelu);
  const ValueId r2 = builder.Function1("r2", a, Function::kRelu);
  ValueId b = builder.Convolve("b", 0, 2, 3);
  b = builder.Node("flat", Reshape{}, {b}, {1, 32});
  b = builder.Function1("r3", b, Function::kRelu);
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({r1, r2, b}), FuseActivations, &after),
            (Ops{"Conv", "Pool", "Elementwise", "Elementwise", "Conv", "Reshape"}))
      << Dump(after);
  EXPECT_EQ(after.nodes[4].clip_low, 0.0f);
}

TEST(FuseResiduals, TakesTheLaterConvAndKeepsOrder) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("a", 0, 2, 3);
  const ValueId b = builder.Convolve("b", 0, 2, 1);
  const ValueId sum = builder.Node("sum", Add{}, {b, a});
  const ValueId c = builder.Convolve("c", sum, 2, 3);
  const ValueId late = builder.Function1("late", sum, Function::kSigmoid);  // written after c
  const ValueId end = builder.Node("end", Add{}, {c, late});
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({end}), FuseResiduals, &after), (Ops{"Conv", "Conv", "Elementwise", "Conv"}));
  EXPECT_EQ(after.nodes[1].name, "b");
  EXPECT_EQ(after.nodes[1].inputs.size(), 2u);
  EXPECT_EQ(after.nodes[3].name, "c");
}

TEST(FuseResiduals, NotWithAClipOrASecondReader) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("a", 0, 2, 3);
  const ValueId sum = builder.Node("sum", Add{}, {a, 0});
  Graph after, graph = builder.Finish({sum});
  graph.nodes[0].clip_low = 0;
  EXPECT_EQ(OpsAfter(graph, FuseResiduals, &after), (Ops{"Conv", "Add"}));
  EXPECT_EQ(OpsAfter(builder.Finish({sum, a}), FuseResiduals, &after), (Ops{"Conv", "Add"}));
  const ValueId twice = builder.Node("twice", Add{}, {a, a});
  EXPECT_EQ(OpsAfter(builder.Finish({twice}), FuseResiduals, &after), (Ops{"Conv", "Add"}));
}

TEST(Lower, MakesAResidualBlockFourNodes) {
  GraphBuilder builder({1, 4, 6, 6});
  ValueId x = builder.Function1("relu1", builder.Affine("bn1", builder.Convolve("c1", 0, 4, 3)), Function::kRelu);
  const ValueId y = builder.Affine("bn2", builder.Convolve("c2", x, 4, 3));
  ValueId shortcut = builder.Node("slice", Slice{{0, 0, 0, 0}, {1, 1, 1, 1}}, {0}, {1, 2, 6, 6});
  shortcut = builder.Node("pad", Pad{{0, 1, 0, 0}, {0, 1, 0, 0}}, {shortcut});
  x = builder.Function1("relu2", builder.Node("sum", Add{}, {y, shortcut}), Function::kRelu);
  const Graph before = builder.Finish({x});
  Graph after = before;
  ASSERT_TRUE(Lower(&after).ok());
  ExpectSameOutputs(before, after);
  ASSERT_EQ(after.nodes.size(), 4u) << Dump(after);
  EXPECT_EQ(after.nodes[3].name, "c2");
  EXPECT_EQ(after.nodes[3].clip_low, 0.0f);
}

TEST(RemoveDeadNodes, RenumbersWhatIsLeft) {
  GraphBuilder builder({1, 2, 4, 4});
  builder.Convolve("dead", 0, 2, 3);
  Graph after;
  EXPECT_EQ(OpsAfter(builder.Finish({builder.Convolve("live", 0, 2, 3)}), RemoveDeadNodes, &after), Ops{"Conv"});
  EXPECT_EQ(after.values.size(), 2u);
}

}  // namespace
}  // namespace aq::converter
