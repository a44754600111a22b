// SPDX-License-Identifier: Apache-2.0
#include "converter/channel_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "converter/calibrate.h"
#include "converter/float_executor.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

constexpr int64_t kChannels = 8;

// expand -> depthwise -> project; every channel of expand twice as large as the one before, which depthwise undoes.
Graph Bottleneck(float high) {
  GraphBuilder b({1, 3, 16, 16});
  const ValueId stem = b.AddConv("stem", b.graph.input, 4, Square(3, 1, 1));
  const ValueId expand = b.AddConv("expand", stem, kChannels, Square(1), 1, -1, 0, high);
  const ValueId depthwise = b.AddConv("depthwise", expand, kChannels, Square(3, 1, 1), kChannels, -1, 0, high);
  const ValueId project = b.AddConv("project", depthwise, 4, Square(1), 1, -1, -kInfinity);
  Graph graph = b.Finish({b.AddDense("dense", b.AddFlatten("flatten", b.AddGlobalPool("mean", project)), 5)});
  Conv& conv = std::get<Conv>(graph.nodes[1].attributes);
  Conv& undo = std::get<Conv>(graph.nodes[2].attributes);
  for (size_t c = 0; c < kChannels; ++c) {
    const float scale = std::ldexp(0.1f, static_cast<int>(c));
    for (size_t i = 0; i < 4; ++i) conv.weights[4 * c + i] *= scale;
    conv.bias[c] *= scale;
    for (size_t i = 0; i < 9; ++i) undo.weights[9 * c + i] /= scale;
  }
  return graph;
}

ConvertOptions LowBits() {
  ConvertOptions options;
  options.bits = {4, 4};
  options.preprocess = HalfPreprocess();
  return options;
}

int Fit(Graph* graph, const ConvertOptions& options) {
  const RandomImages images(16, {1, 3, 16, 16}, 7);
  std::vector<size_t> indices(16);
  std::iota(indices.begin(), indices.end(), size_t{0});
  const Result<int> count = FitChannelSteps(images, indices, options, {}, graph);
  EXPECT_TRUE(count.ok()) << count.status().message();
  return count.ok() ? *count : -1;
}

// Every value of the graph on one image.
std::vector<FloatTensor> Values(const Graph& graph) {
  auto executor = FloatExecutor::Create(&graph, 1);
  EXPECT_TRUE(executor.ok());
  const Shape& shape = graph.values[static_cast<size_t>(graph.input)].shape;
  std::vector<std::vector<uint8_t>> pixels(1);
  EXPECT_TRUE(RandomImages(1, shape, 7).Load(0, &pixels[0]).ok());
  std::vector<FloatTensor> values(graph.values.size());
  const auto keep = [&](ValueId v, const FloatTensor& tensor) { values[static_cast<size_t>(v)] = tensor; };
  EXPECT_TRUE(executor->Run(ToFloat(pixels, shape, HalfPreprocess()), keep).ok());
  return values;
}

class ChannelSteps : public testing::TestWithParam<float> {};
INSTANTIATE_TEST_SUITE_P(Clips, ChannelSteps, testing::Values(kInfinity, 2.0f));

TEST_P(ChannelSteps, KeepTheFunction) {
  const Graph before = Bottleneck(GetParam());
  Graph after = before;
  ASSERT_EQ(Fit(&after, LowBits()), 1);
  const std::vector<FloatTensor> expected = Values(before), actual = Values(after);
  const ValueId expand = before.nodes[1].output;
  for (size_t v = 0; v < expected.size(); ++v) {
    float largest = 0, difference = 0;
    ASSERT_EQ(expected[v].data.size(), actual[v].data.size()) << v;
    for (size_t i = 0; i < expected[v].data.size(); ++i) {
      largest = std::max(largest, std::abs(expected[v].data[i]));
      difference = std::max(difference, std::abs(expected[v].data[i] - actual[v].data[i]));
    }
    if (static_cast<ValueId>(v) == expand) {
      EXPECT_GT(difference, largest * 0.1f);  // the one value that is meant to change
    } else {
      EXPECT_LE(difference, largest * 1e-5f) << before.values[v].name;
    }
  }
}

TEST_P(ChannelSteps, MakeChannelsFillTheRange) {
  const Graph before = Bottleneck(GetParam());
  Graph after = before;
  Fit(&after, LowBits());
  const auto peaks = [](const Graph& graph) {
    const Node& node = graph.nodes[1];
    const FloatTensor tensor = Values(graph)[static_cast<size_t>(node.output)];
    std::vector<float> result(kChannels);
    for (size_t i = 0; i < tensor.data.size(); ++i)
      result[i / (tensor.data.size() / kChannels)] =
          std::max(result[i / (tensor.data.size() / kChannels)], std::min(tensor.data[i], node.clip_high));
    return result;
  };
  const std::vector<float> old_peaks = peaks(before), new_peaks = peaks(after);
  const float largest = *std::ranges::max_element(new_peaks);
  EXPECT_LE(largest, *std::ranges::max_element(old_peaks) * 1.05f);  // the tensor's range is what it was
  for (size_t c = 0; c < kChannels; ++c) {
    if (old_peaks[c] == 0) continue;
    EXPECT_GT(new_peaks[c], largest * 0.3f) << c << ": " << old_peaks[c];
  }
  EXPECT_LT(old_peaks[0], largest * 0.1f);
}

TEST(ChannelSteps, AreOnlyForDepthwiseLayersWithLowBits) {
  Graph graph = Bottleneck(kInfinity);
  ConvertOptions options = LowBits();
  options.bits.activations = 8;
  EXPECT_EQ(Fit(&graph, options), 0);
  EXPECT_EQ(graph.nodes[1].channel_clip_high.size(), 0u);

  GraphBuilder b({1, 3, 16, 16});  // read twice; without a ReLU; an output
  const ValueId a = b.AddConv("a", b.graph.input, 4, Square(1));
  const ValueId twice = b.AddConv("twice", a, 4, Square(3, 1, 1), 4);
  const ValueId linear =
      b.AddConv("linear", b.AddConv("sum", twice, 4, Square(1), 1, a), 4, Square(1), 1, -1, -kInfinity);
  const ValueId output = b.AddConv("output", b.AddConv("signed", linear, 4, Square(3, 1, 1), 4), 4, Square(1));
  graph = b.Finish({output, b.AddConv("last", output, 4, Square(3, 1, 1), 4)});
  EXPECT_EQ(Fit(&graph, LowBits()), 0);
}

TEST(ChannelSteps, NeedFiniteValues) {
  for (const float bad : {std::nanf(""), kInfinity}) {
    Graph graph = Bottleneck(kInfinity);
    std::get<Conv>(graph.nodes[1].attributes).bias[3] = bad;
    const RandomImages images(4, {1, 3, 16, 16}, 7);
    const std::vector<size_t> indices = {0, 1, 2, 3};
    const Status status = FitChannelSteps(images, indices, LowBits(), {}, &graph).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_EQ(status.message(), "value 'expand_out' is not finite in float (images 0 to 3)");
  }
}

// The tensor keeps one step in the file; what the runtime computes still equals the simulation in every bit.
TEST_P(ChannelSteps, AreExactInTheRuntimeAndBringTheOutputNearer) {
  const Graph graph = Bottleneck(GetParam());
  const RandomImages images(48, {1, 3, 16, 16}, 7);
  double decibels[2];
  for (const bool has_steps : {false, true}) {
    ConvertOptions options = LowBits();
    options.bits.weights = 8;
    options.channel_steps = has_steps;
    ConvertReport report;
    const auto file = Convert(graph, images, options, {}, &report);
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ(report.differences, 0u);
    EXPECT_GT(report.checked_tensors, 0u);
    decibels[has_steps] = report.layers[2].sqnr_db;
    EXPECT_EQ(report.layers[2].name, "depthwise");
  }
  EXPECT_GT(decibels[1], decibels[0] + 1);
}

}  // namespace
}  // namespace aq::converter
