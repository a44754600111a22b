// SPDX-License-Identifier: Apache-2.0
#include "converter/training/run_nodes.h"

#include <exception>
#include <variant>

#include "converter/training/ops.h"

namespace aq::converter::training {
namespace {

// One node at batch n: the graph's batch-1 attributes, dimension 0 replaced.
struct NodeRunner {
  Tape* tape;
  const Graph& graph;
  const NodeHooks& hooks;
  int index;
  const Node& node;
  const std::vector<Var>& inputs;

  Shape OutputShape() const {
    Shape shape = graph.values[static_cast<size_t>(node.output)].shape;
    shape[0] = tape->shape(inputs[0])[0];
    return shape;
  }
  Var Weights(const Shape& shape, const std::vector<float>& own) const {
    const Var hooked = hooks.weights ? hooks.weights(tape, index) : kNoVar;
    return hooked != kNoVar ? hooked : tape->Constant(shape, own.data());
  }
  Var Bias(const std::vector<float>& own) const {
    const Var hooked = hooks.bias ? hooks.bias(tape, index) : kNoVar;
    return hooked != kNoVar ? hooked : tape->Constant({static_cast<int64_t>(own.size())}, own.data());
  }
  Var PlusResidual(Var out) const {
    if (inputs.size() < 2) return out;
    return training::Add(tape, out, inputs[1]);
  }

  Var operator()(const converter::Conv& conv) const {
    const int64_t n = static_cast<int64_t>(conv.bias.size()), c = tape->shape(inputs[0])[1];
    const Var weights = Weights({n, c / conv.groups, conv.window.kernel_h, conv.window.kernel_w}, conv.weights);
    return PlusResidual(Conv2d(tape, inputs[0], weights, Bias(conv.bias), conv.window, conv.groups));
  }
  Var operator()(const converter::Dense& dense) const {
    const int64_t n = static_cast<int64_t>(dense.bias.size());
    const Var weights = Weights({n, static_cast<int64_t>(dense.weights.size()) / n}, dense.weights);
    return PlusResidual(training::Dense(tape, inputs[0], weights, Bias(dense.bias)));
  }
  Var operator()(const converter::Add&) const { return training::Add(tape, inputs[0], inputs[1]); }
  Var operator()(const converter::Mul&) const { return training::Mul(tape, inputs[0], inputs[1]); }
  Var operator()(const converter::Concat& concat) const {
    const int64_t rank = static_cast<int64_t>(tape->shape(inputs[0]).size());
    return training::Concat(tape, inputs, concat.axis < 0 ? concat.axis + rank : concat.axis);
  }
  Var operator()(const converter::Pool& pool) const {
    return pool.kind == PoolKind::kMax ? MaxPool(tape, inputs[0], pool.window)
                                       : AveragePool(tape, inputs[0], pool.window, pool.count_include_pad);
  }
  Var operator()(const converter::Elementwise& elementwise) const { return Apply(tape, inputs[0], elementwise); }
  Var operator()(const converter::Reshape&) const { return training::Reshape(tape, inputs[0], OutputShape()); }
  Var operator()(const converter::Transpose& transpose) const {
    return training::Transpose(tape, inputs[0], transpose.permutation);
  }
  Var operator()(const converter::Slice& slice) const {
    return training::Slice(tape, inputs[0], slice.begin, slice.stride, OutputShape());
  }
  Var operator()(const converter::Pad& pad) const { return training::Pad(tape, inputs[0], pad.before, pad.after); }
};

// Ops that would move the batch dimension cannot be run on more than one image.
Status CheckBatchStays(const Graph& graph, const Node& node) {
  const char* name = node.name.c_str();
  if (const auto* concat = std::get_if<converter::Concat>(&node.attributes); concat && concat->axis == 0) {
    return Error(Code::kUnsupported, "%s: concatenation along the batch (axis 0)", name);
  }
  const auto* transpose = std::get_if<converter::Transpose>(&node.attributes);
  if (transpose && (transpose->permutation.empty() || transpose->permutation[0] != 0)) {
    return Error(Code::kUnsupported, "%s: transposition moves the batch dimension", name);
  }
  const Shape& shape = graph.values[static_cast<size_t>(node.output)].shape;
  if (shape.empty() || shape[0] != 1) {
    return Error(Code::kUnsupported, "%s: output batch is %lld, expected 1", name,
                 static_cast<long long>(shape.empty() ? 0 : shape[0]));
  }
  return Status();
}

Status RunOne(Tape* tape, const Graph& graph, int index, const NodeHooks& hooks, std::vector<Var>* values) {
  const Node& node = graph.nodes[static_cast<size_t>(index)];
  AQ_RETURN_IF_ERROR(CheckBatchStays(graph, node));
  std::vector<Var> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Var x = (*values)[static_cast<size_t>(node.inputs[i])];
    if (x == kNoVar) {
      return Error(Code::kInvalidState, "%s: input %zu of %zu has no value yet", node.name.c_str(), i,
                   node.inputs.size());
    }
    const Var hooked = hooks.input ? hooks.input(tape, index, static_cast<int>(i), x) : kNoVar;
    inputs.push_back(hooked != kNoVar ? hooked : x);
  }
  Var out = std::visit(NodeRunner{tape, graph, hooks, index, node, inputs}, node.attributes);
  if (!node.channel_clip_high.empty()) {
    out = Clip(tape, out, node.clip_low, node.channel_clip_high);
  } else if (node.has_clip()) {
    out = Clip(tape, out, node.clip_low, node.clip_high);
  }
  (*values)[static_cast<size_t>(node.output)] = out;
  return Status();
}

}  // namespace

Status RunNodes(Tape* tape, const Graph& graph, std::span<const int> nodes, const NodeHooks& hooks,
                std::vector<Var>* values) {
  for (int index : nodes) {
    try {  // oneDNN's C++ API throws
      AQ_RETURN_IF_ERROR(RunOne(tape, graph, index, hooks, values));
    } catch (const std::exception& e) {
      return Error(Code::kInternal, "%s: %s", graph.nodes[static_cast<size_t>(index)].name.c_str(), e.what());
    }
  }
  return Status();
}

}  // namespace aq::converter::training
