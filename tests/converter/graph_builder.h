// SPDX-License-Identifier: Apache-2.0
// Small Graphs for tests: values get their shapes from InferShape, numbers from a seeded generator.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "converter/float_executor.h"
#include "converter/graph.h"
#include "converter/shapes.h"

namespace aq::converter {

inline std::vector<float> RandomFloats(size_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(generator() % 2001) / 1000.0f - 1.0f;
  return values;
}

class GraphBuilder {
 public:
  explicit GraphBuilder(Shape input) {
    graph.input = 0;
    graph.values.push_back({"input", std::move(input)});
  }
  ValueId Node(const std::string& name, Attributes attributes, std::vector<ValueId> inputs, Shape declared = {}) {
    std::vector<Shape> shapes;
    for (ValueId value : inputs) shapes.push_back(graph.values[static_cast<size_t>(value)].shape);
    Result<Shape> shape = InferShape(attributes, shapes, declared);
    if (!shape.ok()) throw std::runtime_error(shape.status().message());
    graph.values.push_back({name, shape.value()});
    const ValueId output = static_cast<ValueId>(graph.values.size()) - 1;
    graph.nodes.push_back({name, std::move(attributes), std::move(inputs), output});
    return output;
  }
  // Square kernel; "same" padding unless told.
  ValueId Convolve(const std::string& name, ValueId x, int64_t n, int64_t kernel, int64_t groups = 1,
                   int64_t pad = -1) {
    const int64_t channels = graph.values[static_cast<size_t>(x)].shape[1];
    if (pad < 0) pad = kernel / 2;
    Conv conv;
    conv.window = {
        .kernel_h = kernel, .kernel_w = kernel, .pad_top = pad, .pad_left = pad, .pad_bottom = pad, .pad_right = pad};
    conv.groups = groups;
    conv.weights = RandomFloats(static_cast<size_t>(n * channels / groups * kernel * kernel), ++seed_);
    conv.bias = RandomFloats(static_cast<size_t>(n), ++seed_);
    return Node(name, std::move(conv), {x});
  }
  ValueId Affine(const std::string& name, ValueId x) {  // as a BatchNormalization comes out of the importer
    const int64_t channels = graph.values[static_cast<size_t>(x)].shape[1];
    const ValueId out = Convolve(name, x, channels, 1, channels);
    Conv& conv = std::get<Conv>(graph.nodes.back().attributes);
    conv.bn_mean = conv.bias;
    conv.bn_stddev = conv.weights;
    return out;
  }
  ValueId Function1(const std::string& name, ValueId x, Function function, float alpha = 0, float beta = 0) {
    return Node(name, Elementwise{function, alpha, beta}, {x});
  }
  Graph Finish(std::vector<ValueId> outputs) {
    graph.outputs = std::move(outputs);
    return graph;
  }

  Graph graph;

 private:
  uint32_t seed_ = 0;
};

// Outputs for two made-up images; empty on failure.
inline std::vector<float> RunGraph(const Graph& graph, int num_threads = 1) {
  Result<FloatExecutor> executor = FloatExecutor::Create(&graph, num_threads);
  if (!executor.ok()) return {};
  FloatTensor input;
  input.shape = graph.values[static_cast<size_t>(graph.input)].shape;
  input.shape[0] = 2;
  input.data = RandomFloats(static_cast<size_t>(Elements(input.shape)), 99);
  Result<std::vector<FloatTensor>> outputs = executor->Run(input);
  std::vector<float> all;
  if (!outputs.ok()) return all;
  for (const FloatTensor& output : outputs.value()) all.insert(all.end(), output.data.begin(), output.data.end());
  return all;
}

}  // namespace aq::converter
