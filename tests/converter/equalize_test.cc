// SPDX-License-Identifier: Apache-2.0
#include "converter/equalize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "converter/float_executor.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

// Every fourth channel of every layer 30 times as large.
void Unbalance(Graph* graph) {
  for (Node& node : graph->nodes) {
    Conv* conv = std::get_if<Conv>(&node.attributes);
    if (!conv) continue;
    const size_t row = conv->weights.size() / conv->bias.size();
    for (size_t i = 0; i < conv->weights.size(); ++i)
      if (i / row % 4 == 0) conv->weights[i] *= 30;
  }
}

Graph Chain() {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId depthwise = b.AddConv("depthwise", stem, 8, Square(3, 1, 1), 8);
  const ValueId pooled = b.AddPool("pool", depthwise, PoolKind::kMax, Square(2, 2));
  const ValueId grouped = b.AddConv("grouped", pooled, 12, Square(1), 2);
  const ValueId relu6 = b.AddConv("relu6", grouped, 8, Square(1), 1, -1, 0, 6);
  const ValueId last = b.AddConv("last", relu6, 8, Square(1));
  Graph graph = b.Finish({b.AddDense("dense", b.AddFlatten("flatten", b.AddGlobalPool("mean", last)), 5)});
  Unbalance(&graph);
  return graph;
}

std::vector<float> Outputs(const Graph& graph) {
  auto executor = FloatExecutor::Create(&graph, 1);
  EXPECT_TRUE(executor.ok());
  FloatTensor input{graph.values[static_cast<size_t>(graph.input)].shape, {}};
  for (int64_t i = 0; i < Elements(input.shape); ++i) input.data.push_back(std::sin(static_cast<float>(i)));
  auto outputs = executor->Run(input);
  EXPECT_TRUE(outputs.ok());
  return outputs.value()[0].data;
}

TEST(EqualizeLayers, KeepsTheFunction) {
  const Graph before = Chain();
  Graph after = before;
  // stem -> depthwise -> (pool) grouped -> relu6; not relu6 -> last; last -> mean -> flatten -> dense ends at flatten.
  EXPECT_EQ(EqualizeLayers(&after), 3);
  const std::vector<float> expected = Outputs(before), actual = Outputs(after);
  ASSERT_EQ(actual.size(), expected.size());
  float largest = 0;
  for (const float y : expected) largest = std::max(largest, std::abs(y));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], largest * 1e-4f);
}

TEST(EqualizeLayers, MakesRangesOfBothSidesEqual) {
  Graph graph = Chain();
  EqualizeLayers(&graph);
  const Conv& stem = std::get<Conv>(graph.nodes[0].attributes);
  const Conv& depthwise = std::get<Conv>(graph.nodes[1].attributes);
  for (size_t c = 0; c < 8; ++c) {
    float made = 0, read = 0;
    for (size_t i = 0; i < 27; ++i) made = std::max(made, std::abs(stem.weights[c * 27 + i]));
    for (size_t i = 0; i < 9; ++i) read = std::max(read, std::abs(depthwise.weights[c * 9 + i]));
    EXPECT_NEAR(made, read, made * 0.01f) << c;
  }
}

TEST(EqualizeLayers, LeavesSharedValuesAndResidualsAlone) {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId a = b.AddConv("a", stem, 8, Square(3, 1, 1));
  const ValueId sum = b.AddConv("b", a, 8, Square(3, 1, 1), 1, stem);
  Graph graph = b.Finish({b.AddConv("c", sum, 4, Square(1))});
  EXPECT_EQ(EqualizeLayers(&graph), 1);  // a -> b: stem is read twice, b adds a residual
}

}  // namespace
}  // namespace aq::converter
