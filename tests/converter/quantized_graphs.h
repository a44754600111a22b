// SPDX-License-Identifier: Apache-2.0
// Small float graphs with seeded random weights, and random calibration images, for the tests of quantisation.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "converter/convert.h"
#include "converter/graph.h"

namespace aq::converter {

class GraphBuilder {
 public:
  explicit GraphBuilder(Shape input, uint64_t seed = 1) : random_(seed) {
    graph.input = NewValue("input", std::move(input));
  }

  ValueId NewValue(const std::string& name, Shape shape) {
    graph.values.push_back({name, std::move(shape)});
    return static_cast<ValueId>(graph.values.size()) - 1;
  }
  const Shape& ShapeOf(ValueId v) const { return graph.values[static_cast<size_t>(v)].shape; }

  ValueId AddNode(const std::string& name, Attributes attributes, std::vector<ValueId> inputs, Shape shape,
                  float low = -kInfinity, float high = kInfinity) {
    Node node;
    node.name = name;
    node.attributes = std::move(attributes);
    node.inputs = std::move(inputs);
    node.clip_low = low;
    node.clip_high = high;
    node.output = NewValue(name + "_out", std::move(shape));
    graph.nodes.push_back(node);
    return node.output;
  }

  std::vector<float> Random(int64_t count, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = normal(random_);
    return values;
  }

  // Window output size with this window's kernel, stride, dilation and padding.
  static std::pair<int64_t, int64_t> OutputSize(const Shape& in, const Window& w) {
    return {(in[2] + w.pad_top + w.pad_bottom - (w.dilation_h * (w.kernel_h - 1) + 1)) / w.stride_h + 1,
            (in[3] + w.pad_left + w.pad_right - (w.dilation_w * (w.kernel_w - 1) + 1)) / w.stride_w + 1};
  }

  ValueId AddConv(const std::string& name, ValueId x, int64_t channels, Window window, int64_t groups = 1,
                  ValueId residual = -1, float low = 0, float high = kInfinity) {
    const Shape in = ShapeOf(x);
    const int64_t k = in[1] / groups, taps = window.kernel_h * window.kernel_w;
    Conv conv;
    conv.window = window;
    conv.groups = groups;
    conv.weights = Random(channels * k * taps, 1.4f / std::sqrt(static_cast<float>(k * taps)));
    conv.bias = Random(channels, 0.2f);
    const auto [h, w] = OutputSize(in, window);
    std::vector<ValueId> inputs{x};
    if (residual >= 0) inputs.push_back(residual);
    return AddNode(name, std::move(conv), inputs, {1, channels, h, w}, low, high);
  }
  ValueId AddDense(const std::string& name, ValueId x, int64_t channels, float low = -kInfinity,
                   float high = kInfinity) {
    const int64_t k = ShapeOf(x)[1];
    Dense dense;
    dense.weights = Random(channels * k, 1.0f / std::sqrt(static_cast<float>(k)));
    dense.bias = Random(channels, 0.2f);
    return AddNode(name, std::move(dense), {x}, {1, channels}, low, high);
  }
  ValueId AddPool(const std::string& name, ValueId x, PoolKind kind, Window window, bool count_include_pad = false) {
    const auto [h, w] = OutputSize(ShapeOf(x), window);
    return AddNode(name, Pool{kind, window, count_include_pad}, {x}, {1, ShapeOf(x)[1], h, w});
  }
  ValueId AddGlobalPool(const std::string& name, ValueId x) {
    Window window;
    window.kernel_h = ShapeOf(x)[2];
    window.kernel_w = ShapeOf(x)[3];
    return AddPool(name, x, PoolKind::kAverage, window);
  }
  ValueId AddFlatten(const std::string& name, ValueId x) {
    return AddNode(name, Reshape{}, {x}, {1, Elements(ShapeOf(x))});
  }

  Graph Finish(std::vector<ValueId> outputs) {
    graph.outputs = std::move(outputs);
    return graph;
  }

  Graph graph;

 private:
  std::mt19937_64 random_;
};

inline Window Square(int64_t kernel, int64_t stride = 1, int64_t pad = 0) {
  return {kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad};
}

// Smooth random pictures: neighbouring pixels are alike, as in photographs.
class RandomImages : public ImageSource {
 public:
  RandomImages(size_t count, const Shape& input, uint64_t seed) : count_(count), seed_(seed) {
    channels_ = input.size() == 4 ? static_cast<size_t>(input[1]) : 1;
    pixels_ = static_cast<size_t>(Elements(input)) / channels_;
  }
  size_t size() const override { return count_; }
  Status Load(size_t i, std::vector<uint8_t>* pixels) const override {
    std::mt19937_64 random(seed_ * 1000003 + i);
    pixels->resize(pixels_ * channels_);
    int value = static_cast<int>(random() % 256);
    for (uint8_t& pixel : *pixels) {
      value += static_cast<int>(random() % 97) - 48;
      value = value < 0 ? -value : value > 255 ? 510 - value : value;
      pixel = static_cast<uint8_t>(value);
    }
    return {};
  }

 private:
  size_t count_, channels_, pixels_;
  uint64_t seed_;
};

inline Preprocess ImagenetPreprocess() {
  Preprocess preprocess;
  preprocess.mean = {123.675f, 116.28f, 103.53f};
  preprocess.stddev = {58.395f, 57.12f, 57.375f};
  return preprocess;
}
inline Preprocess HalfPreprocess() {
  Preprocess preprocess;
  preprocess.mean = {127.5f};
  preprocess.stddev = {127.5f};
  return preprocess;
}

}  // namespace aq::converter
