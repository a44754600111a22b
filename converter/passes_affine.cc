// SPDX-License-Identifier: Apache-2.0
// FoldAffine: y = scale x + shift behind a Conv or Dense moves into its weights and bias.
#include <cmath>
#include <optional>

#include "converter/passes.h"
#include "converter/passes_support.h"

namespace aq::converter {
namespace {

struct Affine {
  std::vector<float> scale, shift;  // per channel of the producer
  std::vector<float> bn_mean, bn_stddev;
};

// A depthwise 1x1 Conv of one output per channel, or the scalar function; a clip of its own moves along.
std::optional<Affine> AffineOf(Node* node, size_t channels) {
  if (const Elementwise* scalar = AsFunction(node, Function::kAffine)) {
    return Affine{std::vector<float>(channels, scalar->alpha), std::vector<float>(channels, scalar->beta), {}, {}};
  }
  const Conv* conv = As<Conv>(node);
  if (!conv || node->inputs.size() != 1 || conv->bias.size() != channels || conv->weights.size() != channels ||
      conv->groups != static_cast<int64_t>(channels)) {
    return std::nullopt;
  }
  const Window& w = conv->window;
  const bool is_pointwise = w.kernel_h == 1 && w.kernel_w == 1 && w.stride_h == 1 && w.stride_w == 1 &&
                            w.pad_top == 0 && w.pad_left == 0 && w.pad_bottom == 0 && w.pad_right == 0;
  if (!is_pointwise) return std::nullopt;
  return Affine{conv->weights, conv->bias, conv->bn_mean, conv->bn_stddev};
}

// In double: one rounding per weight.
void ScaleRows(const Affine& affine, std::vector<float>* weights, std::vector<float>* bias) {
  const size_t n = bias->size(), row = weights->size() / n;
  for (size_t i = 0; i < n; ++i) {
    const double scale = static_cast<double>(affine.scale[i]);
    for (size_t j = i * row; j < (i + 1) * row; ++j) {
      (*weights)[j] = static_cast<float>(scale * static_cast<double>((*weights)[j]));
    }
    (*bias)[i] = static_cast<float>(scale * static_cast<double>((*bias)[i]) + static_cast<double>(affine.shift[i]));
  }
}

void MoveStatistics(const Affine& affine, Conv* conv) {
  if (!affine.bn_mean.empty()) {
    conv->bn_mean = affine.bn_mean;
    conv->bn_stddev = affine.bn_stddev;
    return;
  }
  for (size_t i = 0; i < conv->bn_mean.size(); ++i) {
    conv->bn_mean[i] = affine.scale[i] * conv->bn_mean[i] + affine.shift[i];
    conv->bn_stddev[i] = std::fabs(affine.scale[i]) * conv->bn_stddev[i];
  }
}

// Can take an affine: nothing between its sum and its output. A residual would be scaled too.
bool IsOpen(const Node* node) { return node && !node->has_clip() && node->inputs.size() == 1; }

}  // namespace

void FoldAffine(Graph* graph) {
  Links links(*graph);
  for (Node& node : graph->nodes) {
    const bool is_candidate = As<Conv>(&node) || AsFunction(&node, Function::kAffine);
    if (!is_candidate || !links.IsPrivate(node.inputs[0])) continue;
    Node* producer = links.Producer(graph, node.inputs[0]);
    // Dense -> Reshape {1, C, 1, 1} -> affine: the same channels.
    Node* reshape = nullptr;
    if (As<Reshape>(producer) && !producer->has_clip() && links.IsPrivate(producer->inputs[0])) {
      Node* before = links.Producer(graph, producer->inputs[0]);
      const Shape& shape = graph->values[static_cast<size_t>(producer->output)].shape;
      const bool keeps_channels = shape.size() == 4 && shape[2] == 1 && shape[3] == 1;
      if (As<Dense>(before) && (keeps_channels || As<Elementwise>(&node))) {
        reshape = producer;
        producer = before;
      }
    }
    if (!IsOpen(producer)) continue;
    Conv* conv = As<Conv>(producer);
    Dense* dense = As<Dense>(producer);
    if (!conv && !dense) continue;
    std::vector<float>* bias = conv ? &conv->bias : &dense->bias;
    const std::optional<Affine> affine = AffineOf(&node, bias->size());
    if (!affine) continue;
    ScaleRows(*affine, conv ? &conv->weights : &dense->weights, bias);
    if (conv) MoveStatistics(*affine, conv);
    if (!reshape) {
      // The affine's value, with its name, is now the producer's.
      producer->output = node.output;
      producer->clip_low = node.clip_low;
      producer->clip_high = node.clip_high;
      links.SetProducer(*graph, *producer);
      MarkRemoved(&node);
    } else {
      node.attributes = Elementwise{.function = Function::kIdentity};
    }
  }
  EraseRemoved(graph);
}

}  // namespace aq::converter
