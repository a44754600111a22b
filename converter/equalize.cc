// SPDX-License-Identifier: Apache-2.0
#include "converter/equalize.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace aq::converter {
namespace {

constexpr int kMaxRounds = 20;     // chains of layers settle after a few
constexpr float kSettled = 1e-3f;  // largest change of a scale in a round
constexpr float kLargest = 1e4f;   // of one scale: dead channels must not blow up

struct Layer {
  std::vector<float>* weights = nullptr;
  std::vector<float>* bias = nullptr;
  Conv* conv = nullptr;
  size_t outputs() const { return bias->size(); }
  size_t per_output() const { return weights->size() / bias->size(); }
};

std::optional<Layer> LayerOf(Node* node) {
  if (Conv* conv = std::get_if<Conv>(&node->attributes)) return Layer{&conv->weights, &conv->bias, conv};
  if (Dense* dense = std::get_if<Dense>(&node->attributes)) return Layer{&dense->weights, &dense->bias, nullptr};
  return std::nullopt;
}

// visit(weight) for every weight that reads input channel c.
template <class Visit>
void ForWeightsOfInput(const Layer& layer, size_t c, const Visit& visit) {
  const size_t taps =
      layer.conv ? static_cast<size_t>(layer.conv->window.kernel_h * layer.conv->window.kernel_w) : size_t{1};
  const size_t inputs = layer.per_output() / taps;  // of a group
  const size_t groups = layer.conv ? static_cast<size_t>(layer.conv->groups) : size_t{1};
  const size_t outputs = layer.outputs() / groups, group = c / inputs;
  for (size_t n = group * outputs; n < (group + 1) * outputs; ++n)
    for (size_t t = 0; t < taps; ++t) visit(&(*layer.weights)[n * layer.per_output() + c % inputs * taps + t]);
}

size_t InputChannels(const Layer& layer) {
  const size_t taps =
      layer.conv ? static_cast<size_t>(layer.conv->window.kernel_h * layer.conv->window.kernel_w) : size_t{1};
  return layer.per_output() / taps * static_cast<size_t>(layer.conv ? layer.conv->groups : 1);
}

struct Pair {
  Layer first, second;
};

// The layer that alone reads what `index` makes, through pooling.
std::optional<Pair> FindPair(Graph* graph, const std::vector<std::vector<int>>& consumers, size_t index) {
  Node* node = &graph->nodes[index];
  const std::optional<Layer> first = LayerOf(node);
  const auto keeps_scale = [](const Node& n) {
    return (n.clip_low == 0 || n.clip_low == -kInfinity) && n.clip_high == kInfinity;
  };
  if (!first || node->inputs.size() != 1) return std::nullopt;
  while (true) {
    const std::vector<int>& readers = consumers[static_cast<size_t>(node->output)];
    const bool is_output = std::ranges::count(graph->outputs, node->output) > 0;
    if (!keeps_scale(*node) || is_output || readers.size() != 1) return std::nullopt;
    Node* reader = &graph->nodes[static_cast<size_t>(readers[0])];
    if (const std::optional<Layer> second = LayerOf(reader)) {
      const bool is_input = reader->inputs[0] == node->output;  // not its residual
      if (!is_input || InputChannels(*second) != first->outputs()) return std::nullopt;
      return Pair{*first, *second};
    }
    if (!std::holds_alternative<Pool>(reader->attributes)) return std::nullopt;
    node = reader;
  }
}

// Returns the largest change of a scale.
float Equalize(const Pair& pair) {
  float largest_change = 0;
  const size_t row = pair.first.per_output();
  for (size_t c = 0; c < pair.first.outputs(); ++c) {
    float made = 0, read = 0;
    for (size_t i = c * row; i < (c + 1) * row; ++i) made = std::max(made, std::abs((*pair.first.weights)[i]));
    ForWeightsOfInput(pair.second, c, [&](const float* w) { read = std::max(read, std::abs(*w)); });
    if (made == 0 || read == 0) continue;
    const float scale = std::clamp(std::sqrt(made / read), 1 / kLargest, kLargest);
    for (size_t i = c * row; i < (c + 1) * row; ++i) (*pair.first.weights)[i] /= scale;
    (*pair.first.bias)[c] /= scale;
    if (pair.first.conv && !pair.first.conv->bn_mean.empty()) {
      pair.first.conv->bn_mean[c] /= scale;
      pair.first.conv->bn_stddev[c] /= scale;
    }
    ForWeightsOfInput(pair.second, c, [&](float* w) { *w *= scale; });
    largest_change = std::max(largest_change, std::abs(scale - 1));
  }
  return largest_change;
}

}  // namespace

int EqualizeLayers(Graph* graph) {
  const std::vector<std::vector<int>> consumers = Consumers(*graph);
  std::vector<Pair> pairs;
  for (size_t i = 0; i < graph->nodes.size(); ++i)
    if (const std::optional<Pair> pair = FindPair(graph, consumers, i)) pairs.push_back(*pair);
  float change = 1;
  for (int round = 0; round < kMaxRounds && change > kSettled; ++round) {
    change = 0;
    for (const Pair& pair : pairs) change = std::max(change, Equalize(pair));
  }
  return static_cast<int>(pairs.size());
}

}  // namespace aq::converter
