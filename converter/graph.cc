// SPDX-License-Identifier: Apache-2.0
// Questions about a Graph: who writes, who reads, how large, how many multiplications; and its text form.
#include "converter/graph.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace aq::converter {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

const char* FunctionName(Function function) {
  switch (function) {
    case Function::kIdentity:
      return "Identity";
    case Function::kRelu:
      return "Relu";
    case Function::kClip:
      return "Clip";
    case Function::kLeakyRelu:
      return "LeakyRelu";
    case Function::kSigmoid:
      return "Sigmoid";
    case Function::kHardSigmoid:
      return "HardSigmoid";
    case Function::kHardSwish:
      return "HardSwish";
    case Function::kSilu:
      return "Silu";
    case Function::kTanh:
      return "Tanh";
    case Function::kElu:
      return "Elu";
    case Function::kGelu:
      return "Gelu";
    case Function::kSoftplus:
      return "Softplus";
    case Function::kExp:
      return "Exp";
    case Function::kAbs:
      return "Abs";
    case Function::kNeg:
      return "Neg";
    case Function::kAffine:
      return "Affine";
  }
  return "?";
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::string Join(const std::vector<int64_t>& numbers, const char* separator) {
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) text += (i ? separator : "") + std::to_string(numbers[i]);
  return text;
}

std::string WindowText(const Window& w) {
  std::string text = Join({w.kernel_h, w.kernel_w}, "x");
  if (w.stride_h != 1 || w.stride_w != 1) text += " stride " + Join({w.stride_h, w.stride_w}, ",");
  if (w.dilation_h != 1 || w.dilation_w != 1) text += " dilation " + Join({w.dilation_h, w.dilation_w}, ",");
  if (w.pad_top || w.pad_left || w.pad_bottom || w.pad_right) {
    text += " pad " + Join({w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}, ",");
  }
  return text;
}

std::string AttributesText(const Attributes& attributes) {
  return std::visit(
      Overloaded{
          [](const Conv& conv) {
            return WindowText(conv.window) + (conv.groups == 1 ? "" : " groups " + std::to_string(conv.groups));
          },
          [](const Concat& concat) { return "axis " + std::to_string(concat.axis); },
          [](const Pool& pool) {
            return std::string(pool.kind == PoolKind::kMax ? "max " : "average ") + WindowText(pool.window) +
                   (pool.count_include_pad ? " include_pad" : "");
          },
          [](const Elementwise& e) {
            return std::string(FunctionName(e.function)) + " " + Number(e.alpha) + "," + Number(e.beta);
          },
          [](const Transpose& transpose) { return Join(transpose.permutation, ","); },
          [](const Slice& slice) { return "begin " + Join(slice.begin, ",") + " stride " + Join(slice.stride, ","); },
          [](const Pad& pad) { return "before " + Join(pad.before, ",") + " after " + Join(pad.after, ","); },
          [](const auto&) { return std::string(); },
      },
      attributes);
}

std::string ValueText(const Graph& graph, ValueId id) {
  if (id < 0 || id >= static_cast<ValueId>(graph.values.size()))
    return std::string("<").append(std::to_string(id)).append(">");  // + trips gcc 12's -Wrestrict
  const Value& value = graph.values[static_cast<size_t>(id)];
  return value.name + "[" + Join(value.shape, "x") + "]";
}

}  // namespace

std::vector<int> Producers(const Graph& graph) {
  std::vector<int> producers(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    producers[static_cast<size_t>(graph.nodes[i].output)] = static_cast<int>(i);
  }
  return producers;
}

// A node that reads a value twice is listed twice.
std::vector<std::vector<int>> Consumers(const Graph& graph) {
  std::vector<std::vector<int>> consumers(graph.values.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId input : graph.nodes[i].inputs) consumers[static_cast<size_t>(input)].push_back(static_cast<int>(i));
  }
  return consumers;
}

const char* OpName(const Attributes& attributes) {
  static constexpr const char* kNames[] = {"Conv",        "Dense",   "Add",       "Mul",   "Concat", "Pool",
                                           "Elementwise", "Reshape", "Transpose", "Slice", "Pad"};
  static_assert(std::size(kNames) == std::variant_size_v<Attributes>);
  return kNames[attributes.index()];
}

std::string Dump(const Graph& graph) {
  std::string text = "input " + ValueText(graph, graph.input) + "\n";
  for (const Node& node : graph.nodes) {
    text += ValueText(graph, node.output) + " = " + OpName(node.attributes) + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) text += (i ? ", " : "") + ValueText(graph, node.inputs[i]);
    text += ")";
    if (const std::string attributes = AttributesText(node.attributes); !attributes.empty()) text += " " + attributes;
    if (node.has_clip()) text += " clip [" + Number(node.clip_low) + ", " + Number(node.clip_high) + "]";
    text += "  # " + node.name + "\n";
  }
  for (ValueId output : graph.outputs) text += "output " + ValueText(graph, output) + "\n";
  return text;
}

int64_t Elements(const Shape& shape) {
  int64_t elements = 1;
  for (int64_t dim : shape) elements *= dim;
  return elements;
}

int64_t Macs(const Graph& graph) {
  int64_t macs = 0;
  for (const Node& node : graph.nodes) {
    if (const Conv* conv = std::get_if<Conv>(&node.attributes)) {
      const Shape& in = graph.values[static_cast<size_t>(node.inputs[0])].shape;
      const int64_t outputs = Elements(graph.values[static_cast<size_t>(node.output)].shape);
      macs += outputs * (in[1] / conv->groups) * conv->window.kernel_h * conv->window.kernel_w;
    } else if (const Dense* dense = std::get_if<Dense>(&node.attributes)) {
      macs += static_cast<int64_t>(dense->weights.size());
    }
  }
  return macs;
}

float Apply(const Elementwise& elementwise, float x) {
  const float alpha = elementwise.alpha, beta = elementwise.beta;
  switch (elementwise.function) {
    case Function::kIdentity:
      return x;
    case Function::kRelu:
      return std::max(x, 0.0f);
    case Function::kClip:
      return std::min(std::max(x, alpha), beta);
    case Function::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Function::kSigmoid:
      return 1.0f / (1.0f + std::exp(-x));
    case Function::kHardSigmoid:
      return std::max(0.0f, std::min(1.0f, alpha * x + beta));
    case Function::kHardSwish:
      return x * std::max(0.0f, std::min(1.0f, x / 6.0f + 0.5f));
    case Function::kSilu:
      return x / (1.0f + std::exp(-x));
    case Function::kTanh:
      return std::tanh(x);
    case Function::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case Function::kGelu:
      return 0.5f * x * (1.0f + std::erf(x * 0.70710678f));
    case Function::kSoftplus:
      return x > 20 ? x : std::log1p(std::exp(x));
    case Function::kExp:
      return std::exp(x);
    case Function::kAbs:
      return std::fabs(x);
    case Function::kNeg:
      return -x;
    case Function::kAffine:
      return alpha * x + beta;
  }
  return x;
}

}  // namespace aq::converter
