// SPDX-License-Identifier: Apache-2.0
#include "converter/writer.h"

#include <gtest/gtest.h>

#include "aq/aq.h"
#include "converter/quantize.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

TEST(Writer, SameModelSameBytesAndTheRuntimeLoadsThem) {
  GraphBuilder b({1, 3, 5, 5});
  const ValueId x = b.AddConv(std::string(400, 'n') + "\n", b.graph.input, 4,
                              Square(3));  // a name too long, with a control character
  Graph graph = b.Finish({b.AddConv("last", x, 4, Square(1), 1, -1, -kInfinity)});
  graph.source_sha256 = "abc";
  ConvertOptions options;
  options.bits = {4, 4};
  options.layers = {{"^last$", {2, 8}}};
  const auto plan = PlanActivations(graph, options);
  std::vector<Histogram> groups(graph.values.size());
  for (Histogram& group : groups) group.range = {-1, 4};
  options.ranges = Ranges::kMinMax;
  std::vector<std::vector<uint8_t>> files;
  for (int i = 0; i < 2; ++i) {
    auto quantized = Quantize(graph, plan.value(), groups, options);
    ASSERT_TRUE(quantized.ok()) << quantized.status().message();
    files.push_back(WriteModel(&quantized->integer, BuildMetadata(graph, plan.value(), options, {5, 1})));
  }
  EXPECT_EQ(files[0], files[1]);
  aq_model* model = nullptr;
  ASSERT_EQ(aq_model_load_buffer(files[0].data(), files[0].size(), nullptr, &model), AQ_OK);
  // Keys are sorted; the recipe repeats what differs from the default.
  std::string previous;
  for (size_t i = 0; i < aq_model_num_metadata(model); ++i) {
    const char *key = nullptr, *value = nullptr;
    ASSERT_EQ(aq_model_metadata_at(model, i, &key, &value), AQ_OK);
    EXPECT_LT(previous, key);
    previous = key;
  }
  const char* recipe = nullptr;
  ASSERT_EQ(aq_model_metadata(model, "aq.recipe", &recipe), AQ_OK);
  EXPECT_NE(std::string(recipe).find("^last$"), std::string::npos) << recipe;
  const char* source = nullptr;
  ASSERT_EQ(aq_model_metadata(model, "aq.source.sha256", &source), AQ_OK);
  EXPECT_STREQ(source, "abc");
  aq_model_destroy(model);
}

}  // namespace
}  // namespace aq::converter
