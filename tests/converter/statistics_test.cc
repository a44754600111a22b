// SPDX-License-Identifier: Apache-2.0
#include "converter/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "converter/quantize.h"
#include "kernels/numerics.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

TEST(ChannelDistribution, MomentsAreThoseOfDrawnValues) {
  std::mt19937_64 random(1);
  for (const ChannelDistribution d : {ChannelDistribution{0.3, 1}, ChannelDistribution{-0.5, 2, 0},
                                      ChannelDistribution{2, 3, 0, 6}, ChannelDistribution{1, 0, 0}}) {
    std::normal_distribution<double> normal(d.mean, std::max(d.deviation, 1e-12));
    double sum = 0, square = 0, below = 0;
    constexpr int kDraws = 200000;
    for (int i = 0; i < kDraws; ++i) {
      const double x = std::clamp(normal(random), d.low, d.high);
      sum += x, square += x * x, below += x <= 1.5;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(d.ClippedMean(), mean, 0.02);
    EXPECT_NEAR(d.ClippedDeviation(), std::sqrt(square / kDraws - mean * mean), 0.02);
    EXPECT_NEAR(d.Cumulative(1.5), below / kDraws, 0.01);
  }
}

// Statistics as BatchNorm would have left them: measured on the calibration images.
void Measure(Graph* graph, const ImageSource& images, const Preprocess& preprocess) {
  std::vector<size_t> indices(images.size());
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  std::vector<std::vector<uint8_t>> pixels;
  const Shape input = graph->values[0].shape;
  ASSERT_TRUE(LoadImages(images, indices, input, &pixels).ok());
  for (Node& node : graph->nodes) {
    Conv* conv = std::get_if<Conv>(&node.attributes);
    if (!conv) continue;
    Graph unclipped = *graph;
    Node& same = unclipped.nodes[static_cast<size_t>(&node - graph->nodes.data())];
    same.clip_low = -kInfinity;
    same.inputs.resize(1);
    auto executor = FloatExecutor::Create(&unclipped, 1);
    const auto observe = [&](ValueId v, const FloatTensor& t) {
      if (v != node.output) return;
      const size_t channels = conv->bias.size(), area = t.data.size() / static_cast<size_t>(t.shape[0]) / channels;
      conv->bn_mean.assign(channels, 0);
      conv->bn_stddev.assign(channels, 0);
      for (size_t c = 0; c < channels; ++c) {
        double sum = 0, square = 0, count = 0;
        for (size_t i = 0; i < static_cast<size_t>(t.shape[0]); ++i)
          for (size_t p = 0; p < area; ++p) {
            const double x = static_cast<double>(t.data[(i * channels + c) * area + p]);
            sum += x, square += x * x, count += 1;
          }
        conv->bn_mean[c] = static_cast<float>(sum / count);
        conv->bn_stddev[c] = static_cast<float>(std::sqrt(square / count - sum * sum / count / count));
      }
    };
    ASSERT_TRUE(executor->Run(ToFloat(pixels, input, preprocess), observe).ok());
  }
}

Graph Network() {
  GraphBuilder b({1, 3, 10, 10});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 8, Square(3, 1, 1));
  const ValueId c = b.AddConv("a2", a, 8, Square(3, 1, 1), 1, stem);
  const ValueId d = b.AddConv("b", c, 12, Square(3, 2, 1));
  return b.Finish({b.AddDense("dense", b.AddFlatten("flatten", b.AddGlobalPool("pool", d)), 5)});
}

class NoImages : public ImageSource {
 public:
  size_t size() const override { return 0; }
  Status Load(size_t, std::vector<uint8_t>*) const override { return Error(Code::kInternal, "there are none"); }
};

TEST(ConvertWithoutImages, IsBitExactAndAlmostAsGoodAsWithThem) {
  Graph graph = Network();
  ConvertOptions options;
  options.preprocess = ImagenetPreprocess();
  const RandomImages images(40, graph.values[0].shape, 1);
  Measure(&graph, images, options.preprocess);
  ConvertReport with, without;
  ASSERT_TRUE(Convert(graph, images, options, nullptr, &with).ok());
  const auto file = Convert(graph, NoImages(), options, nullptr, &without);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(without.differences, 0u);
  EXPECT_EQ(without.checked_images, options.check_count);
  for (size_t i = 0; i + 1 < with.layers.size(); ++i)  // of noise images
    EXPECT_GT(without.layers[i].sqnr_db, 25) << without.layers[i].name;
  EXPECT_EQ(Convert(graph, NoImages(), options, nullptr, nullptr).value(), file.value());
}

TEST(ConvertWithoutImages, RangesAreNearThoseOfImages) {
  Graph graph = Network();
  ConvertOptions options;
  options.preprocess = ImagenetPreprocess();
  const RandomImages images(40, graph.values[0].shape, 1);
  Measure(&graph, images, options.preprocess);
  const auto plan = PlanActivations(graph, options);
  const auto distributions = PropagateStatistics(graph, options.preprocess);
  ASSERT_TRUE(distributions.ok());
  const Calibration from_statistics = CalibrateFromStatistics(graph, plan.value(), distributions.value());
  const auto from_images = Calibrate(graph, plan.value(), images, ChooseImages(40, 40, 1), options, nullptr);
  for (const char* name : {"stem", "a1", "a2", "b"}) {
    for (const Node& node : graph.nodes) {
      if (node.name != name) continue;
      const size_t group = static_cast<size_t>(plan.value().group[static_cast<size_t>(node.output)]);
      const float expected = ChooseParams(from_images.value().groups[group], Ranges::kMse, 4).scale;
      const float actual = ChooseParams(from_statistics.groups[group], Ranges::kMse, 4).scale;
      EXPECT_GT(actual, expected * 0.6f) << name;
      EXPECT_LT(actual, expected * 1.7f) << name;
    }
  }
}

TEST(ConvertWithoutImages, NeedsStatisticsAndNearestRounding) {
  const Graph graph = Network();
  ConvertOptions options;
  EXPECT_EQ(Convert(graph, NoImages(), options, nullptr, nullptr).status().code(), Code::kUnsupported);
  options.rounding = Rounding::kAdaptive;
  EXPECT_EQ(Convert(graph, NoImages(), options, nullptr, nullptr).status().code(), Code::kInvalidArgument);
}

TEST(CorrectBiasesFromStatistics, RemovesTheMeanErrorOfTheWeights) {
  // A layer whose weights are all rounded the same way shifts its output by the mean of its input.
  GraphBuilder b({1, 4, 4, 4});
  const ValueId x = b.AddConv("first", b.graph.input, 4, Square(1));
  Graph graph = b.Finish({b.AddConv("second", b.AddConv("middle", x, 4, Square(1)), 4, Square(1))});
  Conv& middle = std::get<Conv>(graph.nodes[1].attributes);
  for (const size_t i : {0, 1, 2}) std::get<Conv>(graph.nodes[i].attributes).bn_mean.assign(4, 1);
  for (const size_t i : {0, 1, 2}) std::get<Conv>(graph.nodes[i].attributes).bn_stddev.assign(4, 0.25f);
  middle.weights = {1, 0.6f, 0.6f, 0.6f, 1, 0.6f, 0.6f, 0.6f, 1, 0.6f, 0.6f, 0.6f, 1, 0.6f, 0.6f, 0.6f};
  ConvertOptions options;
  options.bits = {2, 8};
  options.asymmetric_weights = false;
  const auto plan = PlanActivations(graph, options);
  const auto distributions = PropagateStatistics(graph, options.preprocess);
  const Calibration calibration = CalibrateFromStatistics(graph, plan.value(), distributions.value());
  auto quantized = Quantize(graph, plan.value(), calibration.groups, options);
  ASSERT_TRUE(quantized.ok());
  const std::vector<int32_t> before = WeightsOf(*quantized->integer.model.ops[1])->bias;
  ASSERT_TRUE(CorrectBiasesFromStatistics(graph, distributions.value(), &quantized.value()).ok());
  const schema::WeightsT& weights = *WeightsOf(*quantized->integer.model.ops[1]);
  const std::vector<double>& acc_scale = quantized->provenance.acc_scale[1];
  const double x_scale =
      static_cast<double>(quantized->integer.Tensor(quantized->integer.model.ops[1]->inputs[0]).scale);
  const double input_mean = distributions.value()[static_cast<size_t>(graph.nodes[0].output)][0].ClippedMean();
  double error = 0;  // of the sum of the first channel's weights
  for (size_t i = 0; i < 4; ++i)
    error += SignedCode(CodeAt(quantized->integer.segments[weights.segment].data(), i, 2), 2) * acc_scale[0] / x_scale -
             static_cast<double>(middle.weights[i]);
  EXPECT_GT(std::abs(error), 0.05) << "nothing to correct";
  EXPECT_NEAR((weights.bias[0] - before[0]) * acc_scale[0], -error * input_mean, acc_scale[0]);
}

}  // namespace
}  // namespace aq::converter
