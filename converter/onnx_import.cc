// SPDX-License-Identifier: Apache-2.0
// The walk over an ONNX graph: names, inputs, initialisers, then every node folded or imported; unsupported nodes are
// collected and the walk goes on with what can be known of their outputs' shapes.
#include "converter/onnx_import.h"

#include <onnx/onnx_pb.h>

#include <cinttypes>

#include "converter/onnx_fold.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

const std::map<std::string, ImportFunction>& Table() {
  static const std::map<std::string, ImportFunction> table = [] {
    std::map<std::string, ImportFunction> rows;
    for (const auto& part : {LinearOps(), PoolOps(), ElementwiseOps(), BinaryOps(), ShapeOps()}) {
      for (const ImportRow& row : part) rows.emplace(row.op, row.function);
    }
    return rows;
  }();
  return table;
}

// What to do about it, for the operations people meet.
std::string Hint(const std::string& op) {
  static constexpr struct {
    const char *op, *hint;
  } kHints[] = {
      {"LayerNormalization", "transformers are not supported; use a network with BatchNormalization"},
      {"InstanceNormalization", "use BatchNormalization"},
      {"GroupNormalization", "use BatchNormalization"},
      {"MatMul", "attention is not supported; only products with constant weights are"},
      {"Softmax", "attention is not supported; a Softmax that ends the network is"},
      {"Erf", "export GELU as one operator (opset 20) or use ReLU"},
      {"ConvTranspose", "use nearest resizing outside the network and a Conv"},
      {"Resize", "resize outside the network, or stride in a Conv"},
      {"Upsample", "resize outside the network, or stride in a Conv"},
      {"DepthToSpace", "end the network before it"},
      {"QuantizeLinear", "give the float model, not the quantised one"},
      {"DequantizeLinear", "give the float model, not the quantised one"},
      {"QLinearConv", "give the float model, not the quantised one"},
      {"If", "export with constant conditions (simplify the model)"},
      {"Loop", "export without loops (simplify the model)"},
      {"LSTM", "recurrent networks are not supported"},
      {"GRU", "recurrent networks are not supported"},
  };
  for (const auto& row : kHints) {
    if (op == row.op) return row.hint;
  }
  return "replace it in the source network, or end the graph before it";
}

class Walk {
 public:
  Walk(const onnx::ModelProto& model, ImportState* state) : model_(model), graph_(model.graph()), state_(*state) {}

  Status Run() {
    AQ_RETURN_IF_ERROR(ReadOpset());
    AQ_RETURN_IF_ERROR(ReadInitializers());
    AQ_RETURN_IF_ERROR(ReadInput());
    CountUses();
    for (const onnx::NodeProto& node : graph_.node()) AQ_RETURN_IF_ERROR(ReadNode(node));
    return ReadOutputs();
  }

 private:
  Status ReadOpset() {
    for (const auto& set : model_.opset_import()) {
      if (set.domain().empty() || set.domain() == "ai.onnx") state_.opset = set.version();
    }
    if (state_.opset < 9 || state_.opset > 21) {
      return Error(Code::kUnsupported, "opset %" PRId64 ", 9 to 21 are supported", state_.opset);
    }
    return {};
  }

  Status Define(const std::string& name, Operand operand) {
    if (name.empty() || !state_.operands.emplace(name, operand).second) {
      return Error(Code::kCorrupt, "tensor \"%s\" is defined twice or has no name", name.c_str());
    }
    return {};
  }

  Status ReadInitializers() {
    if (graph_.sparse_initializer_size() > 0) return Error(Code::kUnsupported, "sparse initialisers");
    for (const onnx::TensorProto& tensor : graph_.initializer()) {
      Result<Constant> constant = ReadTensor(tensor, state_.source);
      if (!constant.ok() && constant.status().code() == Code::kUnsupported) {
        AQ_RETURN_IF_ERROR(Define(tensor.name(), {}));
        Report(tensor.name(), "initializer", "?", constant.status().message(), "remove it or make it a float tensor");
        continue;
      }
      if (!constant.ok()) return constant.status();
      state_.constants.push_back(std::move(constant).value());
      AQ_RETURN_IF_ERROR(
          Define(tensor.name(), {.kind = Operand::kConstant, .value = -1, .constant = &state_.constants.back()}));
    }
    return {};
  }

  Status ReadInput() {
    const onnx::ValueInfoProto* input = nullptr;
    for (const auto& info : graph_.input()) {
      if (state_.operands.count(info.name())) continue;  // older files list initialisers as inputs too
      if (input) return Error(Code::kUnsupported, "two inputs, %s and %s", input->name().c_str(), info.name().c_str());
      input = &info;
    }
    if (!input) return Error(Code::kCorrupt, "the graph has no input");
    const auto& type = input->type().tensor_type();
    Shape shape;
    for (const auto& dim : type.shape().dim()) {
      const bool is_batch = shape.empty();
      if (is_batch && dim.has_dim_value()) state_.fixed_batch = dim.dim_value();
      if (!is_batch && (!dim.has_dim_value() || dim.dim_value() < 1)) {
        return Error(Code::kUnsupported, "input %s: dimension %zu is not a number; export with a fixed size",
                     input->name().c_str(), shape.size());
      }
      shape.push_back(is_batch ? 1 : dim.dim_value());
    }
    if (shape.size() < 2 || shape.size() > 6) {
      return Error(Code::kUnsupported, "input %s has %zu dimensions, 2 to 6 are supported", input->name().c_str(),
                   shape.size());
    }
    AQ_RETURN_IF_ERROR(CheckedElements(shape, input->name(), int64_t{1} << 28).status());
    state_.graph.input = 0;
    state_.graph.values.push_back({.name = input->name(), .shape = shape});
    return Define(input->name(), {.kind = Operand::kValue, .value = 0, .constant = nullptr});
  }

  void CountUses() {
    for (const auto& node : graph_.node()) {
      for (const std::string& input : node.input()) ++state_.uses[input];
    }
    for (const auto& output : graph_.output()) {
      ++state_.uses[output.name()];
      state_.output_names.insert(output.name());
    }
  }

  void Report(const std::string& name, const std::string& op, const std::string& shape, const std::string& reason,
              const std::string& hint) {
    state_.unsupported.push_back(
        {.node = name, .op = op, .shape = shape, .reason = reason, .hint = hint, .opset = state_.opset});
  }

  const Operand& OperandOf(const std::string& name) const { return state_.operands.at(name); }
  const Shape& ShapeOf(const Operand& operand) const {
    return operand.kind == Operand::kValue ? state_.graph.values[static_cast<size_t>(operand.value)].shape
                                           : operand.constant->shape;
  }

  Status ReadNode(const onnx::NodeProto& node) {
    const std::string name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    if (node.output_size() == 0) return Error(Code::kCorrupt, "node %s has no output", name.c_str());
    bool is_known = true, is_constant = true;
    std::vector<const Constant*> constants;
    for (const std::string& input : node.input()) {
      constants.push_back(nullptr);
      if (input.empty()) continue;
      const auto operand = state_.operands.find(input);
      if (operand == state_.operands.end()) {
        return Error(Code::kCorrupt, "node %s: input %s is not produced before it", name.c_str(), input.c_str());
      }
      is_known = is_known && operand->second.kind != Operand::kUnknown;
      is_constant = is_constant && operand->second.kind == Operand::kConstant;
      constants.back() = operand->second.constant;
    }
    for (const std::string& output : node.output()) {
      if (!output.empty()) AQ_RETURN_IF_ERROR(Define(output, {}));
    }
    if (node.output(0).empty()) return Error(Code::kCorrupt, "node %s: first output has no name", name.c_str());

    const size_t nodes_before = state_.graph.nodes.size();
    Status status = Convert(node, is_known, is_constant, constants);
    if (status.ok()) return CheckUnbound(node, name);
    if (status.code() != Code::kUnsupported) {
      return Error(status.code(), "node %s (%s): %s", name.c_str(), node.op_type().c_str(), status.message().c_str());
    }
    state_.graph.nodes.resize(nodes_before);
    const std::string op = node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
    Report(name, op, InputShape(node), status.message(), Hint(node.op_type()));
    Guess(node);
    return {};
  }

  Status Convert(const onnx::NodeProto& node, bool is_known, bool is_constant,
                 const std::vector<const Constant*>& constants) {
    if (!node.domain().empty() && node.domain() != "ai.onnx") return NotSupported("operator of another domain");
    if (is_constant) {
      AQ_ASSIGN_OR_RETURN(Constant folded, FoldNode(node, state_.opset, constants, state_.source));
      state_.constants.push_back(std::move(folded));
      state_.operands[node.output(0)] = {.kind = Operand::kConstant, .value = -1, .constant = &state_.constants.back()};
      return {};
    }
    const auto row = Table().find(node.op_type());
    if (row == Table().end()) return NotSupported("unknown operator");
    if (!is_known) return {};  // its reason was reported where the unknown value came from
    NodeImport import(node, &state_);
    return row->second(import);
  }

  // A used second output (indices of MaxPool, mask of Dropout) nobody computed.
  Status CheckUnbound(const onnx::NodeProto& node, const std::string& name) {
    if (OperandOf(node.output(0)).kind == Operand::kUnknown) return {};
    for (const std::string& output : node.output()) {
      if (!output.empty() && OperandOf(output).kind == Operand::kUnknown && state_.uses.count(output)) {
        Report(name, node.op_type(), InputShape(node), "output " + output + " is used", Hint(node.op_type()));
      }
    }
    return {};
  }

  std::string InputShape(const onnx::NodeProto& node) const {
    for (const std::string& input : node.input()) {
      if (input.empty() || OperandOf(input).kind != Operand::kValue) continue;
      return ShapeText(ShapeOf(OperandOf(input)));
    }
    return "?";
  }

  // Shape of an unsupported node's output where it is plain, so that the nodes behind it are checked too.
  void Guess(const onnx::NodeProto& node) {
    const std::string& op = node.op_type();
    std::vector<Shape> inputs;
    for (const std::string& input : node.input()) {
      if (input.empty()) continue;
      if (OperandOf(input).kind == Operand::kUnknown) return;
      inputs.push_back(ShapeOf(OperandOf(input)));
    }
    if (inputs.empty()) return;
    Shape shape = inputs[0];
    static const std::set<std::string> kBroadcasting = {"Add", "Sub", "Mul", "Div", "Pow"};
    static const std::set<std::string> kSameShape = {
        "Softmax", "LogSoftmax", "Erf", "Sqrt", "LayerNormalization", "InstanceNormalization", "PRelu", "Selu", "Mish"};
    if (op == "MatMul" && inputs.size() == 2 && shape.size() >= 2 && inputs[1].size() >= 2) {
      shape.back() = inputs[1].back();
    } else if (op == "ReduceMean" && NodeAttributes(node).Int("keepdims", 1) && NodeAttributes(node).Has("axes")) {
      for (int64_t axis : NodeAttributes(node).Ints("axes")) {
        if (const Result<size_t> normal = NormalizeAxis(axis, shape.size()); normal.ok()) shape[normal.value()] = 1;
      }
    } else if (kBroadcasting.count(op) && inputs.size() == 2) {
      const Result<Shape> broadcast = BroadcastShape(inputs[0], inputs[1]);
      if (!broadcast.ok()) return;
      shape = broadcast.value();
    } else if (!kSameShape.count(op)) {
      return;
    }
    // Values of a graph that is never handed out: no node writes this one.
    state_.operands[node.output(0)] = {
        .kind = Operand::kValue, .value = static_cast<ValueId>(state_.graph.values.size()), .constant = nullptr};
    state_.graph.values.push_back({.name = node.output(0), .shape = shape});
  }

  Status ReadOutputs() {
    if (graph_.output_size() == 0) return Error(Code::kCorrupt, "the graph has no output");
    for (const auto& output : graph_.output()) {
      const auto operand = state_.operands.find(output.name());
      if (operand == state_.operands.end()) {
        return Error(Code::kCorrupt, "output %s is not produced", output.name().c_str());
      }
      if (operand->second.kind == Operand::kConstant || operand->second.value == state_.graph.input) {
        Report(output.name(), "output", ShapeText(ShapeOf(operand->second)), "does not depend on any operator",
               "remove this output");
      }
      state_.graph.outputs.push_back(operand->second.value);
    }
    return {};
  }

  const onnx::ModelProto& model_;
  const onnx::GraphProto& graph_;
  ImportState& state_;
};

}  // namespace

Status ImportGraph(const onnx::ModelProto& model, ImportState* state) {
  AQ_RETURN_IF_ERROR(Walk(model, state).Run());
  if (state->unsupported.empty()) return {};
  const Unsupported& first = state->unsupported[0];
  return Error(Code::kUnsupported, "%zu unsupported node%s, first %s (%s): %s", state->unsupported.size(),
               state->unsupported.size() == 1 ? "" : "s", first.node.c_str(), first.op.c_str(), first.reason.c_str());
}

}  // namespace aq::converter
