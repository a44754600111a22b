// SPDX-License-Identifier: Apache-2.0
#include "converter/recipe.h"

#include <gtest/gtest.h>

#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

// conv1 -> dw (depthwise) -> conv2 (residual conv1) -> pool -> flatten -> fc
Graph SmallNet() {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId conv1 = b.AddConv("conv1", b.graph.input, 8, Square(3, 1, 1));
  const ValueId dw = b.AddConv("block/dw.1", conv1, 8, Square(3, 1, 1), 8);
  const ValueId conv2 = b.AddConv("block/conv2", dw, 8, Square(1), 1, conv1);
  return b.Finish({b.AddDense("fc", b.AddFlatten("flatten", b.AddGlobalPool("pool", conv2)), 10)});
}

ConvertOptions Options(Bits bits) {
  ConvertOptions options;
  options.bits = bits;
  return options;
}

std::string Text(const Bits& bits) {
  return std::string("w") + std::to_string(bits.weights) + "a" + std::to_string(bits.activations);
}

std::vector<std::string> Assigned(const Graph& graph, const ConvertOptions& options) {
  const auto bits = AssignBits(graph, options);
  EXPECT_TRUE(bits.ok()) << bits.status().message();
  std::vector<std::string> texts;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (IsWeightLayer(graph.nodes[i])) texts.push_back(Text(bits.value()[i]));
  return texts;
}

TEST(Recipe, ParsesWidths) {
  EXPECT_EQ(Text(ParseRecipe("w4a8").value()), "w4a8");
  EXPECT_EQ(Text(ParseRecipe("w2a2").value()), "w2a2");
  EXPECT_EQ(ParseRecipe("w2a2").value().residual, 0);
  EXPECT_EQ(Text(ParseRecipe("w2a2r8").value()), "w2a2");
  EXPECT_EQ(ParseRecipe("w2a2r8").value().residual, 8);
  for (const char* bad :
       {"", "w4", "w3a8", "w4a1", "W4A8", "w4a8x", "a8w4", "w16a8", "w2a2r", "w2a2r1", "w2a2r88", "w2a2x8"})
    EXPECT_FALSE(ParseRecipe(bad).ok()) << bad;
}

TEST(Recipe, EdgesAreEightBits) {
  EXPECT_EQ(Assigned(SmallNet(), Options({2, 2})), (std::vector<std::string>{"w8a2", "w2a2", "w2a2", "w8a8"}));
}

TEST(Recipe, LaterPatternsWinAlsoOverEdges) {
  ConvertOptions options = Options({4, 4});
  options.layers = {{"block/", {2, 2}}, {"conv2$", {8, 4}}, {"^fc$", {4, 4}}};
  EXPECT_EQ(Assigned(SmallNet(), options), (std::vector<std::string>{"w8a4", "w2a2", "w8a4", "w4a4"}));
}

TEST(Recipe, BadPatternsAreErrors) {
  ConvertOptions options = Options({4, 4});
  options.layers = {{"nothing_like_this", {2, 2}}};
  EXPECT_EQ(AssignBits(SmallNet(), options).status().code(), Code::kInvalidArgument);
  options.layers = {{"(", {2, 2}}};
  EXPECT_EQ(AssignBits(SmallNet(), options).status().code(), Code::kInvalidArgument);
}

TEST(Recipe, ExactPatternMatchesOnlyItself) {
  ConvertOptions options = Options({4, 4});
  options.layers = {{ExactPattern("block/dw.1"), {8, 8}}};
  EXPECT_EQ(Assigned(SmallNet(), options), (std::vector<std::string>{"w8a4", "w8a8", "w4a4", "w8a8"}));
  options.layers = {{ExactPattern("block/dw11"), {8, 8}}};
  EXPECT_FALSE(AssignBits(SmallNet(), options).ok());
}

TEST(RecipeFile, DefaultsAndRulesApply) {
  const char* json = R"({"version": 1,
    "default": {"weights": {"bits": 4, "granularity": "channel", "symmetric": true}, "activations": {"bits": 2, "method": "percentile"},
                "rounding": "nearest"},
    "rules": [{"match": {"op": "Conv", "depthwise": true}, "weights": {"bits": 8}},
              {"match": {"name": "conv2$"}, "activations": {"bits": 8}},
              {"match": {"op": "Gemm"}, "weights": {"bits": 2}}],
    "keep_float": []})";
  ConvertOptions options = Options({8, 8});
  const Status status = ApplyRecipeFile(json, SmallNet(), &options);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Text(options.bits), "w4a2");
  EXPECT_FALSE(options.asymmetric_weights);
  EXPECT_EQ(options.ranges, Ranges::kPercentile);
  // A rule changes only what it names: the edges protocol keeps the rest.
  EXPECT_EQ(Assigned(SmallNet(), options), (std::vector<std::string>{"w8a2", "w8a2", "w4a8", "w2a8"}));
}

TEST(RecipeFile, MistakesAreErrors) {
  const char* bad[] = {
      "{",
      "[]",
      R"({"default": {}})",
      R"({"version": 2})",
      R"({"version": 1, "defaults": {}})",
      R"({"version": 1, "default": {"weights": {"bits": 3}}})",
      R"({"version": 1, "default": {"weights": {"bits": "4"}}})",
      R"({"version": 1, "default": {"weights": {"granularity": "tensor"}}})",
      R"({"version": 1, "default": {"activations": {"method": "entropy"}}})",
      R"({"version": 1, "default": {"rounding": "border"}})",
      R"({"version": 1, "rules": [{"weights": {"bits": 8}}]})",
      R"({"version": 1, "rules": [{"match": {"names": "x"}}]})",
      R"({"version": 1, "rules": [{"match": {"name": "("}}]})",
      R"({"version": 1, "rules": [{"match": {"op": "Relu"}, "weights": {"bits": 8}}]})",
      R"({"version": 1, "keep_float": ["fc"]})",
  };
  for (const char* json : bad) {
    ConvertOptions options = Options({8, 8});
    EXPECT_FALSE(ApplyRecipeFile(json, SmallNet(), &options).ok()) << json;
  }
}

}  // namespace
}  // namespace aq::converter
