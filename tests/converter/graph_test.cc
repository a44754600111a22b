// SPDX-License-Identifier: Apache-2.0
#include "converter/graph.h"

#include <gtest/gtest.h>

#include <cmath>

#include "converter/passes.h"
#include "converter/sha256.h"
#include "tests/converter/graph_builder.h"

namespace aq::converter {
namespace {

TEST(Graph, ProducersAndConsumersFollowTheEdges) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("a", 0, 2, 3);
  const ValueId sum = builder.Node("sum", Add{}, {a, a});
  const Graph graph = builder.Finish({sum});
  EXPECT_EQ(Producers(graph), (std::vector<int>{-1, 0, 1}));
  EXPECT_EQ(Consumers(graph), (std::vector<std::vector<int>>{{0}, {1, 1}, {}}));
}

TEST(Graph, DumpNamesEveryNodeWithShapesWindowAndClip) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("first", 0, 4, 3, 2);
  Graph graph = builder.Finish({a});
  graph.nodes[0].clip_low = 0;
  EXPECT_EQ(Dump(graph),
            "input input[1x2x4x4]\n"
            "first[1x4x4x4] = Conv(input[1x2x4x4]) 3x3 pad 1,1,1,1 groups 2 clip [0, inf]  # first\n"
            "output first[1x4x4x4]\n");
}

TEST(Graph, MacsCountGroupsAndDense) {
  GraphBuilder builder({1, 4, 5, 5});
  const ValueId a = builder.Convolve("a", 0, 8, 3, 2);  // 8 * 25 * 2 * 9
  const ValueId flat = builder.Node("flat", Reshape{}, {a}, {1, 200});
  const ValueId b = builder.Node("b", Dense{RandomFloats(600, 1), RandomFloats(3, 2)}, {flat});
  EXPECT_EQ(Macs(builder.Finish({b})), 3600 + 600);
}

TEST(Graph, ApplyEqualsTheDefinitions) {
  const float x = -0.7f;
  EXPECT_FLOAT_EQ(Apply({Function::kHardSwish}, x), x * (x + 3) / 6);
  EXPECT_FLOAT_EQ(Apply({Function::kSilu}, x), x / (1 + std::exp(-x)));
  EXPECT_FLOAT_EQ(Apply({Function::kHardSigmoid, 0.2f, 0.5f}, x), 0.36f);
  EXPECT_FLOAT_EQ(Apply({Function::kLeakyRelu, 0.1f}, x), -0.07f);
  EXPECT_FLOAT_EQ(Apply({Function::kElu, 2.0f}, x), 2 * (std::exp(x) - 1));
  EXPECT_FLOAT_EQ(Apply({Function::kClip, -0.5f, 2}, x), -0.5f);
  EXPECT_FLOAT_EQ(Apply({Function::kAffine, 2, 1}, x), -0.4f);
  EXPECT_FLOAT_EQ(Apply({Function::kGelu}, 1.0f), 0.8413447f);
  EXPECT_FLOAT_EQ(Apply({Function::kSoftplus}, 1.0f), 1.3132617f);
  EXPECT_EQ(Apply({Function::kHardSwish}, -3.5f), 0.0f);
}

TEST(Graph, ValidateRefusesWrongShapesOrderAndWriters) {
  GraphBuilder builder({1, 2, 4, 4});
  const ValueId a = builder.Convolve("a", 0, 2, 3);
  const ValueId b = builder.Convolve("b", a, 2, 3);
  const Graph good = builder.Finish({b});
  EXPECT_TRUE(Validate(good).ok());
  Graph bad = good;
  bad.values[1].shape[1] = 3;
  EXPECT_FALSE(Validate(bad).ok());
  bad = good;
  std::swap(bad.nodes[0], bad.nodes[1]);
  EXPECT_FALSE(Validate(bad).ok());
  bad = good;
  bad.nodes[1].output = a;
  EXPECT_FALSE(Validate(bad).ok());
  bad = good;
  std::get<Conv>(bad.nodes[0].attributes).weights.pop_back();
  EXPECT_FALSE(Validate(bad).ok());
  bad = good;
  bad.outputs = {7};
  EXPECT_FALSE(Validate(bad).ok());
}

TEST(Sha256, EqualsTheStandardsExamples) {
  Sha256 abc;
  abc.Update("a", 1);
  abc.Update("bc", 2);
  EXPECT_EQ(abc.HexDigest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().HexDigest(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 million;
  const std::string block(1000, 'a');
  for (int i = 0; i < 1000; ++i) million.Update(block.data(), block.size());
  EXPECT_EQ(million.HexDigest(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace aq::converter
