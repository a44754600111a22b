// SPDX-License-Identifier: Apache-2.0
// The float executor against loops that know nothing of oneDNN, and its promises about batches, threads and memory.
#include "converter/float_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/converter/graph_builder.h"

namespace aq::converter {
namespace {

float At(const std::vector<float>& data, const Shape& s, int64_t c, int64_t y, int64_t x) {
  return y < 0 || x < 0 || y >= s[2] || x >= s[3] ? 0.0f : data[static_cast<size_t>((c * s[2] + y) * s[3] + x)];
}

std::vector<float> NaiveConv(const Conv& conv, const std::vector<float>& in, const Shape& s, const Shape& out) {
  const Window& w = conv.window;
  const int64_t per_group = s[1] / conv.groups, outs = out[1] / conv.groups;
  std::vector<float> result;
  for (int64_t n = 0; n < out[1]; ++n) {
    for (int64_t y = 0; y < out[2]; ++y) {
      for (int64_t x = 0; x < out[3]; ++x) {
        double sum = static_cast<double>(conv.bias[static_cast<size_t>(n)]);
        for (int64_t c = 0; c < per_group; ++c) {
          for (int64_t i = 0; i < w.kernel_h; ++i) {
            for (int64_t j = 0; j < w.kernel_w; ++j) {
              const float value = At(in, s, n / outs * per_group + c, y * w.stride_h - w.pad_top + i * w.dilation_h,
                                     x * w.stride_w - w.pad_left + j * w.dilation_w);
              const size_t k = static_cast<size_t>(((n * per_group + c) * w.kernel_h + i) * w.kernel_w + j);
              sum += static_cast<double>(value) * static_cast<double>(conv.weights[k]);
            }
          }
        }
        result.push_back(static_cast<float>(sum));
      }
    }
  }
  return result;
}

FloatTensor Image(const Shape& shape, uint32_t seed) {
  return {shape, RandomFloats(static_cast<size_t>(Elements(shape)), seed)};
}

void ExpectNear(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-5f * std::max(1.0f, std::fabs(want[i]))) << i;
}

FloatTensor RunOne(const Graph& graph, const FloatTensor& input) {
  Result<FloatExecutor> executor = FloatExecutor::Create(&graph, 1);
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  Result<std::vector<FloatTensor>> outputs = executor->Run(input);
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  return outputs.value()[0];
}

struct ConvCase {
  Window window;
  int64_t groups, channels, n;
};

TEST(FloatExecutor, ConvolutionEqualsLoops) {
  const ConvCase cases[] = {
      {{.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1}, 1, 16, 24},
      {{.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1}, 1, 3, 8},
      {{.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1}, 16, 16, 16},
      {{.kernel_h = 3, .kernel_w = 2, .dilation_h = 2, .dilation_w = 3, .pad_top = 2, .pad_left = 1}, 2, 6, 4},
      {{.kernel_h = 1, .kernel_w = 1}, 5, 5, 5},
      {{.kernel_h = 1, .kernel_w = 1, .stride_h = 2, .stride_w = 1}, 1, 7, 13},
      {{.kernel_h = 5, .kernel_w = 1, .pad_top = 4, .pad_bottom = 6}, 3, 6, 9},
      {{.kernel_h = 2, .kernel_w = 2, .pad_top = 3, .pad_left = 3, .pad_bottom = 3, .pad_right = 3}, 1, 4, 4},
  };
  for (const ConvCase& test : cases) {
    SCOPED_TRACE(&test - cases);
    GraphBuilder builder({1, test.channels, 9, 11});
    Conv conv;
    conv.window = test.window;
    conv.groups = test.groups;
    conv.weights = RandomFloats(
        static_cast<size_t>(test.n * test.channels / test.groups * test.window.kernel_h * test.window.kernel_w), 5);
    conv.bias = RandomFloats(static_cast<size_t>(test.n), 6);
    const Graph graph = builder.Finish({builder.Node("conv", conv, {0})});
    const FloatTensor input = Image(graph.values[0].shape, 7);
    ExpectNear(RunOne(graph, input).data, NaiveConv(conv, input.data, input.shape, graph.values[1].shape));
  }
}

TEST(FloatExecutor, DenseWithResidualAndClipEqualsLoops) {
  GraphBuilder builder({1, 7});
  const Dense dense{RandomFloats(49, 1), RandomFloats(7, 2)};
  const ValueId y = builder.Node("dense", dense, {0, 0});
  Graph graph = builder.Finish({y});
  graph.nodes[0].clip_low = -0.5f;
  graph.nodes[0].clip_high = 1.0f;
  const FloatTensor input = Image({1, 7}, 3);
  std::vector<float> want;
  for (size_t n = 0; n < 7; ++n) {
    float sum = dense.bias[n] + input.data[n];
    for (size_t k = 0; k < 7; ++k) sum += dense.weights[n * 7 + k] * input.data[k];
    want.push_back(std::min(std::max(sum, -0.5f), 1.0f));
  }
  ExpectNear(RunOne(graph, input).data, want);
}

TEST(FloatExecutor, PoolingCountsPaddingOnlyWhenTold) {
  const Window window{.kernel_h = 3,
                      .kernel_w = 2,
                      .stride_h = 2,
                      .stride_w = 1,
                      .pad_top = 1,
                      .pad_left = 0,
                      .pad_bottom = 2,
                      .pad_right = 1};
  for (const Pool& pool : {Pool{PoolKind::kMax, window, false}, Pool{PoolKind::kAverage, window, false},
                           Pool{PoolKind::kAverage, window, true}}) {
    GraphBuilder builder({1, 2, 5, 4});
    const Graph graph = builder.Finish({builder.Node("pool", pool, {0})});
    const FloatTensor input = Image({1, 2, 5, 4}, 11);
    std::vector<float> want;
    for (int64_t c = 0; c < 2; ++c) {
      for (int64_t y = 0; y < 3; ++y) {
        for (int64_t x = 0; x < 4; ++x) {
          float sum = 0, best = -100;
          int inside = 0;
          for (int64_t i = 2 * y - 1; i < 2 * y + 2; ++i) {
            for (int64_t j = x; j < x + 2; ++j) {
              if (i < 0 || i >= 5 || j >= 4) continue;
              const float value = At(input.data, input.shape, c, i, j);
              sum += value;
              best = std::max(best, value);
              ++inside;
            }
          }
          const float divisor = pool.count_include_pad ? 6.0f : static_cast<float>(inside);
          want.push_back(pool.kind == PoolKind::kMax ? best : sum / divisor);
        }
      }
    }
    ExpectNear(RunOne(graph, input).data, want);
  }
}

TEST(FloatExecutor, MovesElementsExactly) {
  GraphBuilder builder({1, 2, 2, 3});
  const ValueId t = builder.Node("t", Transpose{{0, 2, 3, 1}}, {0});
  const ValueId s = builder.Node("s", Slice{{0, 1, 0, 1}, {1, 1, 1, 2}}, {0}, {1, 1, 2, 1});
  const ValueId p = builder.Node("p", Pad{{0, 0, 1, 0}, {0, 1, 0, 1}}, {s});
  const ValueId scale = builder.Node("scale", Pool{PoolKind::kMax, {.kernel_h = 2, .kernel_w = 3}}, {0});
  const ValueId m = builder.Node("m", Mul{}, {0, scale});
  const Graph graph = builder.Finish({t, p, m});
  FloatTensor input{{1, 2, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  Result<FloatExecutor> executor = FloatExecutor::Create(&graph, 1);
  ASSERT_TRUE(executor.ok());
  Result<std::vector<FloatTensor>> outputs = executor->Run(input);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(outputs.value()[0].data, (std::vector<float>{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}));
  EXPECT_EQ(outputs.value()[1].data, (std::vector<float>{0, 0, 7, 0, 10, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(outputs.value()[2].data, (std::vector<float>{0, 5, 10, 15, 20, 25, 66, 77, 88, 99, 110, 121}));
  GraphBuilder second({1, 2, 2, 1});
  const Graph joined = second.Finish({second.Node("join", Concat{2}, {0, 0})});
  EXPECT_EQ(RunOne(joined, {{1, 2, 2, 1}, {1, 2, 3, 4}}).data, (std::vector<float>{1, 2, 1, 2, 3, 4, 3, 4}));
}

Graph SmallNetwork() {
  GraphBuilder builder({1, 3, 17, 17});
  ValueId x = builder.Convolve("a", 0, 16, 3);
  x = builder.Convolve("b", x, 16, 3, 16);
  x = builder.Convolve("c", x, 40, 1);
  x = builder.Node("flat", Reshape{}, {x}, {1, 40 * 17 * 17});
  x = builder.Node("dense", Dense{RandomFloats(10 * 40 * 17 * 17, 1), RandomFloats(10, 2)}, {x});
  return builder.Finish({x});
}

TEST(FloatExecutor, BatchAndThreadsDoNotChangeABit) {
  const Graph graph = SmallNetwork();
  FloatTensor batch = Image({5, 3, 17, 17}, 1);
  std::vector<float> want;
  for (int64_t i = 0; i < 5; ++i) {
    FloatTensor one{{1, 3, 17, 17}, {batch.data.begin() + i * 867, batch.data.begin() + (i + 1) * 867}};
    const std::vector<float> scores = RunOne(graph, one).data;
    want.insert(want.end(), scores.begin(), scores.end());
  }
  for (int threads : {1, 2, 3, 8}) {
    Result<FloatExecutor> executor = FloatExecutor::Create(&graph, threads);
    ASSERT_TRUE(executor.ok());
    Result<std::vector<FloatTensor>> outputs = executor->Run(batch);
    ASSERT_TRUE(outputs.ok());
    EXPECT_EQ(outputs.value()[0].data, want) << threads;
  }
}

TEST(FloatExecutor, ObserverSeesEveryValueInOrderAndNodesRunAlone) {
  const Graph graph = SmallNetwork();
  Result<FloatExecutor> executor = FloatExecutor::Create(&graph, 2);
  ASSERT_TRUE(executor.ok());
  std::vector<ValueId> seen;
  std::vector<FloatTensor> tensors;
  const FloatTensor input = Image({2, 3, 17, 17}, 1);
  ASSERT_TRUE(executor
                  ->Run(input,
                        [&](ValueId value, const FloatTensor& tensor) {
                          seen.push_back(value);
                          tensors.push_back(tensor);
                        })
                  .ok());
  EXPECT_EQ(seen, (std::vector<ValueId>{0, 1, 2, 3, 4, 5}));
  Result<FloatTensor> alone = executor->RunNode(2, {&tensors[2]});
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone->data, tensors[3].data);
}

TEST(FloatExecutor, RefusesWrongInputs) {
  const Graph graph = SmallNetwork();
  Result<FloatExecutor> executor = FloatExecutor::Create(&graph, 1);
  ASSERT_TRUE(executor.ok());
  EXPECT_EQ(executor->Run(Image({1, 3, 17, 16}, 1)).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(executor->Run({}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(executor->RunNode(99, {}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(executor->RunNode(0, {}).status().code(), Code::kInvalidArgument);
  EXPECT_FALSE(FloatExecutor::Create(&graph, 0).ok());
}

}  // namespace
}  // namespace aq::converter
