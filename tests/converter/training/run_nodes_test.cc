// SPDX-License-Identifier: Apache-2.0
// The whole core together: a residual block with quantisers on its consumers' inputs, trained for a few steps.
#include "converter/training/run_nodes.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "converter/training/adam.h"
#include "converter/training/adaround.h"
#include "converter/training/fake_quantize.h"
#include "converter/training/losses.h"
#include "converter/training/ops.h"
#include "tests/converter/training/gradient_check.h"

namespace aq::converter::training {
namespace {

constexpr int64_t kChannels = 8;
const Window kWindow{3, 3, 1, 1, 1, 1, 1, 1, 1, 1};

// x -> conv relu -> conv + x, relu -> global average -> reshape -> dense: values 0..5.
Graph ResidualBlock() {
  Graph graph;
  const Shape image{1, kChannels, 10, 10};
  graph.values = {{"x", image}, {"a", image}, {"b", image}, {"pool", {1, kChannels, 1, 1}}, {"flat", {1, kChannels}},
                  {"y", {1, 5}}};
  for (int i = 0; i < 2; ++i) {
    converter::Conv conv;
    conv.window = kWindow;
    conv.weights = Uniform(kChannels * kChannels * 9, -0.25f, 0.25f, static_cast<uint32_t>(i));
    conv.bias = Uniform(kChannels, -0.2f, 0.2f, static_cast<uint32_t>(i) + 2);
    Node node{.name = i ? "conv2" : "conv1", .attributes = conv, .inputs = {i}, .output = i + 1};
    if (i) node.inputs.push_back(0);
    node.clip_low = 0;
    graph.nodes.push_back(node);
  }
  converter::Pool pool{PoolKind::kAverage, {10, 10, 1, 1, 1, 1, 0, 0, 0, 0}, false};
  graph.nodes.push_back({.name = "pool", .attributes = pool, .inputs = {2}, .output = 3});
  graph.nodes.push_back({.name = "flat", .attributes = converter::Reshape{}, .inputs = {3}, .output = 4});
  converter::Dense dense{Uniform(5 * kChannels, -1, 1, 5), Uniform(5, -1, 1, 6)};
  graph.nodes.push_back({.name = "dense", .attributes = dense, .inputs = {4}, .output = 5});
  graph.input = 0;
  graph.outputs = {5};
  return graph;
}
const std::vector<int> kAllNodes = {0, 1, 2, 3, 4};

TEST(RunNodes, ComputesTheGraphAtAnyBatch) {
  const Graph graph = ResidualBlock();
  const std::vector<float> x = Uniform(3 * kChannels * 100, 0, 1, 9);
  Tape tape(2);
  std::vector<Var> values(6, kNoVar);
  values[0] = tape.Constant({3, kChannels, 10, 10}, x.data());
  ASSERT_TRUE(RunNodes(&tape, graph, kAllNodes, {}, &values).ok());
  EXPECT_EQ(tape.shape(values[5]), (Shape{3, 5}));

  // The same by hand.
  const auto& conv1 = std::get<converter::Conv>(graph.nodes[0].attributes);
  const auto& conv2 = std::get<converter::Conv>(graph.nodes[1].attributes);
  const auto& dense = std::get<converter::Dense>(graph.nodes[4].attributes);
  const Shape w{kChannels, kChannels, 3, 3};
  const auto constant = [&](const Shape& shape, const std::vector<float>& v) { return tape.Constant(shape, v.data()); };
  Var v = Conv2d(&tape, values[0], constant(w, conv1.weights), constant({kChannels}, conv1.bias), kWindow, 1);
  v = Clip(&tape, v, 0, kInfinity);
  v = Conv2d(&tape, v, constant(w, conv2.weights), constant({kChannels}, conv2.bias), kWindow, 1);
  v = Clip(&tape, Add(&tape, v, values[0]), 0, kInfinity);
  for (int64_t i = 0; i < tape.count(v); ++i) ASSERT_EQ(tape.value(v)[i], tape.value(values[2])[i]);
  double mean = 0;
  for (int64_t i = 0; i < 100; ++i) mean += tape.value(v)[i] / 100;
  EXPECT_NEAR(tape.value(values[3])[0], mean, 1e-5);
  double sum = dense.bias[0];
  for (size_t c = 0; c < kChannels; ++c) sum += double{dense.weights[c]} * tape.value(values[4])[c];
  EXPECT_NEAR(tape.value(values[5])[0], sum, 1e-5);
}

TEST(RunNodes, NamesAMissingInput) {
  const Graph graph = ResidualBlock();
  Tape tape(1);
  std::vector<Var> values(6, kNoVar);
  const Status status = RunNodes(&tape, graph, kAllNodes, {}, &values);
  EXPECT_EQ(status.code(), Code::kInvalidState);
  EXPECT_NE(status.message().find("conv1"), std::string::npos);
}

TEST(RunNodes, RefusesToMoveTheBatch) {
  Graph graph;
  graph.values = {{"x", {1, 2, 3}}, {"y", {2, 1, 3}}};
  graph.nodes.push_back({.name = "swap", .attributes = converter::Transpose{{1, 0, 2}}, .inputs = {0}, .output = 1});
  Tape tape(1);
  const std::vector<float> x(6);
  std::vector<Var> values = {tape.Constant({1, 2, 3}, x.data()), kNoVar};
  EXPECT_EQ(RunNodes(&tape, graph, std::vector<int>{0}, {}, &values).code(), Code::kUnsupported);
}

// Reconstruction of the two convolutions, as block reconstruction will do it.
struct Training {
  Graph graph = ResidualBlock();
  std::vector<float> x_float = Uniform(16 * kChannels * 100, 0, 1, 20);
  std::vector<float> x_quantized = x_float, target;
  std::map<int, WeightQuantizer> weights;
  std::map<int, ActivationQuantizer> inputs;
  std::map<int, Parameter> biases;
  std::vector<float> losses;
  size_t held_after_warm_up = 0, held_at_end = 0;

  explicit Training(BorderClass border) {
    const std::vector<float> noise = Uniform(x_float.size(), -0.05f, 0.05f, 21);
    for (size_t i = 0; i < noise.size(); ++i) x_quantized[i] += noise[i];
    for (int node : {0, 1}) {
      const auto& conv = std::get<converter::Conv>(graph.nodes[static_cast<size_t>(node)].attributes);
      const std::vector<float> scale(kChannels, 0.5f / 3);
      const std::vector<float> zero(kChannels, 0);
      weights[node] = MakeWeightQuantizer({kChannels, kChannels, 3, 3}, conv.weights, scale, zero, -2, 1);
      weights[node].scale.is_trained = true;
      inputs[node] = MakeActivationQuantizer(2, 0, 0.4f, border, kChannels);
      biases[node] = Parameter({kChannels}, conv.bias);
    }
    Tape tape(1);
    std::vector<Var> values(6, kNoVar);
    values[0] = tape.Constant({16, kChannels, 10, 10}, x_float.data());
    EXPECT_TRUE(RunNodes(&tape, graph, std::vector<int>{0, 1}, {}, &values).ok());
    target.assign(tape.value(values[2]), tape.value(values[2]) + tape.count(values[2]));
  }

  void Run(int64_t iterations, int num_threads) {
    Tape tape(num_threads);
    Adam adam(iterations);
    for (int node : {0, 1}) {
      adam.AddGroup({.parameters = {&weights[node].alpha}, .learning_rate = 1e-2f});
      adam.AddGroup({.parameters = {&weights[node].scale}, .learning_rate = 1e-4f, .cosine = true});
      adam.AddGroup({.parameters = {&inputs[node].step}, .learning_rate = 1e-3f, .cosine = true});
      adam.AddGroup({.parameters = {&inputs[node].border, &biases[node]}, .learning_rate = 2e-3f});
    }
    std::vector<float> mixed(x_float.size());
    for (int64_t it = 0; it < iterations; ++it) {
      const uint64_t step = static_cast<uint64_t>(it);
      tape.Reset();
      MixInputs({.keep = 0.5f, .key = {1, 1000, step}}, x_quantized.data(), x_float.data(),
                static_cast<int64_t>(mixed.size()), mixed.data());
      NodeHooks hooks;
      hooks.weights = [&](Tape* t, int node) { return RoundedWeights(t, &weights[node], WeightRounding::kSoft); };
      hooks.bias = [&](Tape* t, int node) { return t->Leaf(&biases[node]); };
      hooks.input = [&](Tape* t, int node, int input, Var x) {
        if (input != 0) return kNoVar;  // the residual stays float here
        const Drop drop{.keep = 0.5f, .key = {1, static_cast<uint64_t>(node), step}};
        return FakeQuantize(t, x, &inputs[node], {.drop = drop});
      };
      std::vector<Var> values(6, kNoVar);
      values[0] = tape.Constant({16, kChannels, 10, 10}, mixed.data());
      ASSERT_TRUE(RunNodes(&tape, graph, std::vector<int>{0, 1}, hooks, &values).ok());
      const Var error = MeanSquaredError(&tape, values[2], tape.Constant(tape.shape(values[2]), target.data()));
      std::vector<WeightedTerm> terms = {{error, 1}};
      if (const float beta = AnnealedBeta(it, iterations); beta > 0) {
        for (int node : {0, 1}) terms.push_back({RoundingRegulariser(&tape, &weights[node], beta), 0.01f});
      }
      tape.Backward(WeightedSum(&tape, terms));
      losses.push_back(tape.scalar(error));
      adam.Step();
      for (int node : {0, 1}) Project(&inputs[node]);
      if (it == 20) held_after_warm_up = tape.held_floats();
    }
    held_at_end = tape.held_floats();
  }
};

TEST(Training, LowersTheBlocksErrorWithEveryBorderClass) {
  for (BorderClass border : {BorderClass::kNone, BorderClass::kAffine, BorderClass::kAffineChannel, BorderClass::kFree,
                             BorderClass::kFreeChannel}) {
    SCOPED_TRACE(static_cast<int>(border));
    Training training(border);
    training.Run(60, 2);
    const auto mean = [&](size_t begin) {
      return std::accumulate(&training.losses[begin], &training.losses[begin] + 5, 0.0f) / 5;
    };
    EXPECT_LT(mean(25), 0.8f * mean(0));
    const ActivationQuantizer& q = training.inputs[1];
    bool moved = border == BorderClass::kNone;
    for (size_t i = 0; i < q.border.value.size(); ++i) moved = moved || (q.border.value[i] != 0.5f && i % 2 == 0);
    EXPECT_TRUE(moved);
  }
}

TEST(Training, IsTheSameInEveryBitForTheSameSeedAndThreads) {
  for (int threads : {1, 2}) {
    Training first(BorderClass::kFreeChannel), second(BorderClass::kFreeChannel);
    first.Run(15, threads);
    second.Run(15, threads);
    EXPECT_EQ(first.losses, second.losses);
    for (int node : {0, 1}) {
      EXPECT_EQ(first.weights[node].alpha.value, second.weights[node].alpha.value);
      EXPECT_EQ(first.weights[node].scale.value, second.weights[node].scale.value);
      EXPECT_EQ(first.inputs[node].border.value, second.inputs[node].border.value);
      EXPECT_EQ(first.inputs[node].step.value, second.inputs[node].step.value);
    }
  }
}

TEST(Training, AllocatesNoTensorAfterTheFirstIterations) {
  Training training(BorderClass::kAffineChannel);
  training.Run(30, 2);
  EXPECT_GT(training.held_after_warm_up, 0u);
  EXPECT_EQ(training.held_at_end, training.held_after_warm_up);
}

// Our own ops do not depend on the number of threads either (oneDNN's weight gradients may).
TEST(FakeQuantize, GivesTheSameBitsOnAnyNumberOfThreads) {
  const std::vector<float> x = Uniform(16 * kChannels * 900, 0, 2, 1), g = Uniform(x.size(), -1, 1, 2);
  std::vector<float> step, border;
  for (int threads : {1, 2, 3}) {
    ActivationQuantizer q = MakeActivationQuantizer(4, 0, 0.1f, BorderClass::kFree, 1);
    Tape tape(threads);
    const Drop drop{.keep = 0.5f, .key = {1, 2, 3}};
    tape.Backward(FakeQuantize(&tape, tape.Constant({16, kChannels, 30, 30}, x.data()), &q, {.drop = drop}), g);
    if (step.empty()) step = q.step.gradient, border = q.border.gradient;
    EXPECT_EQ(q.step.gradient, step);
    EXPECT_EQ(q.border.gradient, border);
  }
}

}  // namespace
}  // namespace aq::converter::training
