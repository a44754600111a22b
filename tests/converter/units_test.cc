// SPDX-License-Identifier: Apache-2.0
#include "converter/units.h"

#include <gtest/gtest.h>

#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

using Names = std::vector<std::vector<std::string>>;

Names NodeNames(const Graph& graph, const std::vector<Unit>& units) {
  Names names;
  for (const Unit& unit : units) {
    names.emplace_back();
    for (const int node : unit.nodes) names.back().push_back(graph.nodes[static_cast<size_t>(node)].name);
  }
  return names;
}

TEST(Units, AreStemResidualBlocksAndHead) {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId stem = b.AddConv("stem", b.graph.input, 4, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 4, Square(3, 1, 1));
  const ValueId block_a = b.AddConv("a2", a, 4, Square(3, 1, 1), 1, stem);
  const ValueId c = b.AddConv("b1", block_a, 8, Square(3, 2, 1));
  const ValueId shortcut = b.AddConv("shortcut", block_a, 8, Square(1, 2, 0), 1, -1, -kInfinity);
  const ValueId block_b = b.AddConv("b2", c, 8, Square(3, 1, 1), 1, shortcut);
  const ValueId dense = b.AddDense("dense", b.AddFlatten("flatten", b.AddGlobalPool("pool", block_b)), 5);
  const Graph graph = b.Finish({dense});
  const std::vector<Unit> units = SplitIntoUnits(graph, UnitKind::kBlock);
  EXPECT_EQ(NodeNames(graph, units),
            (Names{{"stem"}, {"a1", "a2"}, {"b1", "shortcut", "b2"}, {"pool", "flatten", "dense"}}));
  ASSERT_EQ(units.size(), 4u);
  EXPECT_EQ(units[0].inputs, std::vector<ValueId>{graph.input});
  EXPECT_EQ(units[1].inputs, std::vector<ValueId>{stem});
  EXPECT_EQ(units[1].outputs, std::vector<ValueId>{block_a});
  EXPECT_EQ(units[2].inputs, std::vector<ValueId>{block_a});
  for (const Unit& unit : units) EXPECT_EQ(unit.last_read, unit.inputs);
  EXPECT_EQ(units[3].outputs, std::vector<ValueId>{dense});
}

TEST(Units, OfAChainAreItsLayersAndNodesWithoutWeightsGoWithTheNext) {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId first = b.AddConv("first", b.graph.input, 4, Square(3, 1, 1));
  const ValueId pooled = b.AddPool("max", first, PoolKind::kMax, Square(2, 2));
  const ValueId depthwise = b.AddConv("depthwise", pooled, 4, Square(3, 1, 1), 4);
  const ValueId last = b.AddPool("tail", b.AddConv("last", depthwise, 6, Square(1)), PoolKind::kAverage, Square(2, 2));
  const Graph graph = b.Finish({last});
  const std::vector<Unit> units = SplitIntoUnits(graph, UnitKind::kBlock);
  EXPECT_EQ(NodeNames(graph, units), (Names{{"first"}, {"max", "depthwise", "last", "tail"}}));
  EXPECT_EQ(units.back().outputs, std::vector<ValueId>{last});
}

// MobileNetV2's blocks end at their linear layers whether they have a shortcut or not; MobileNetV1's are pairs.
TEST(Units, KeepDepthwiseLayersWithTheirNeighbours) {
  GraphBuilder b({1, 3, 16, 16});
  ValueId v = b.AddConv("stem", b.graph.input, 4, Square(3, 1, 1));
  v = b.AddConv("depthwise1", v, 4, Square(3, 1, 1), 4);
  v = b.AddConv("pointwise1", v, 6, Square(1));
  v = b.AddConv("depthwise2", v, 6, Square(3, 2, 1), 6);
  v = b.AddConv("pointwise2", v, 4, Square(1));
  v = b.AddConv("expand", v, 12, Square(1));
  v = b.AddConv("depthwise3", v, 12, Square(3, 2, 1), 12);
  v = b.AddConv("project", v, 4, Square(1), 1, -1, -kInfinity);
  v = b.AddConv("expand4", v, 12, Square(1));
  const Graph graph = b.Finish({b.AddConv("depthwise4", v, 12, Square(3, 1, 1), 12)});
  const Names blocks = {{"stem"},
                        {"depthwise1", "pointwise1"},
                        {"depthwise2", "pointwise2"},
                        {"expand", "depthwise3", "project"},
                        {"expand4"},
                        {"depthwise4"}};
  EXPECT_EQ(NodeNames(graph, SplitIntoUnits(graph, UnitKind::kBlock)), blocks);
  EXPECT_EQ(SplitIntoUnits(graph, UnitKind::kLayer).size(), graph.nodes.size());
}

// A value that leaves the network early is needed until the end: nothing after it can be cut off.
TEST(Units, ReachToTheEndOnceTheNetworkForks) {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId first = b.AddConv("first", b.graph.input, 4, Square(3, 1, 1));
  const ValueId left = b.AddConv("left", first, 4, Square(3, 1, 1));
  const ValueId right = b.AddConv("right", first, 4, Square(3, 1, 1));
  const ValueId tail = b.AddConv("tail", right, 4, Square(3, 1, 1));
  const Graph graph = b.Finish({left, tail});
  const std::vector<Unit> units = SplitIntoUnits(graph, UnitKind::kBlock);
  EXPECT_EQ(NodeNames(graph, units), (Names{{"first"}, {"left", "right", "tail"}}));
  EXPECT_EQ(units.back().outputs, graph.outputs);
}

// What crosses a cut between layers: a shortcut that goes past a layer, a pooled value that two layers read, and a
// value that leaves the network early.
TEST(Units, AreSingleLayersIfWanted) {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId stem = b.AddConv("stem", b.graph.input, 4, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 4, Square(3, 1, 1));
  const ValueId block = b.AddConv("a2", a, 4, Square(3, 1, 1), 1, stem);
  const ValueId pooled = b.AddPool("max", block, PoolKind::kMax, Square(2, 2));
  const ValueId left = b.AddConv("left", pooled, 4, Square(1));
  const ValueId right = b.AddConv("right", pooled, 4, Square(1));
  const ValueId tail = b.AddPool("tail", right, PoolKind::kAverage, Square(2, 2));
  const Graph graph = b.Finish({left, tail});
  const std::vector<Unit> units = SplitIntoUnits(graph, UnitKind::kLayer);
  ASSERT_EQ(NodeNames(graph, units), (Names{{"stem"}, {"a1"}, {"a2"}, {"max", "left"}, {"right", "tail"}}));
  using Values = std::vector<ValueId>;
  const std::vector<Values> inputs = {{graph.input}, {stem}, {a, stem}, {block}, {pooled}};
  const std::vector<Values> outputs = {{stem}, {a}, {block}, {pooled, left}, {tail}};
  const std::vector<Values> last_read = {{graph.input}, {}, {a, stem}, {block}, {pooled}};
  for (size_t i = 0; i < units.size(); ++i) {
    EXPECT_EQ(units[i].inputs, inputs[i]) << i;
    EXPECT_EQ(units[i].outputs, outputs[i]) << i;
    EXPECT_EQ(units[i].last_read, last_read[i]) << i;
  }
}

}  // namespace
}  // namespace aq::converter
