// SPDX-License-Identifier: Apache-2.0
// NodeImport: operands, attributes that became inputs, and appending nodes.
#include <onnx/onnx_pb.h>

#include <cstdarg>
#include <cstdio>

#include "converter/onnx_import.h"
#include "converter/shapes.h"

namespace aq::converter {

Status NotSupported(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return Status(Code::kUnsupported, text);
}

const std::string& NodeImport::op() const { return node_.op_type(); }
size_t NodeImport::num_inputs() const { return static_cast<size_t>(node_.input_size()); }
size_t NodeImport::num_outputs() const { return static_cast<size_t>(node_.output_size()); }
const std::string& NodeImport::OutputName(size_t output) const { return node_.output(static_cast<int>(output)); }

bool NodeImport::Has(size_t input) const {
  return input < num_inputs() && !node_.input(static_cast<int>(input)).empty();
}

bool NodeImport::IsConstant(size_t input) const {
  return Has(input) && state_.operands.at(node_.input(static_cast<int>(input))).kind == Operand::kConstant;
}

bool NodeImport::IsOutputUsed(size_t output) const {
  return output < num_outputs() && state_.uses.count(OutputName(output)) > 0;
}

bool NodeImport::IsGraphOutput(size_t output) const {
  return state_.output_names.count(OutputName(output)) > 0 && state_.uses.at(OutputName(output)) == 1;
}

std::string NodeImport::Name() const { return node_.name().empty() ? OutputName(0) : node_.name(); }

Result<ValueId> NodeImport::Input(size_t i) const {
  if (!Has(i)) return Error(Code::kCorrupt, "%s: input %zu is missing", Name().c_str(), i);
  const Operand& operand = state_.operands.at(node_.input(static_cast<int>(i)));
  if (operand.kind != Operand::kValue) return NotSupported("input %zu is a constant", i);
  return operand.value;
}

Result<const Constant*> NodeImport::ConstantInput(size_t i) const {
  if (!Has(i)) return Error(Code::kCorrupt, "%s: input %zu is missing", Name().c_str(), i);
  const Operand& operand = state_.operands.at(node_.input(static_cast<int>(i)));
  if (operand.kind != Operand::kConstant) return NotSupported("input %zu must be a constant", i);
  return operand.constant;
}

Result<std::optional<std::vector<int64_t>>> NodeImport::Ints(const char* name, size_t input,
                                                             int64_t input_since) const {
  if (opset() < input_since) {
    if (!attributes.Has(name)) return std::optional<std::vector<int64_t>>();
    return std::make_optional(attributes.Ints(name));
  }
  if (!Has(input)) return std::optional<std::vector<int64_t>>();
  AQ_ASSIGN_OR_RETURN(const Constant* constant, ConstantInput(input));
  if (constant->is_float) return Error(Code::kCorrupt, "%s: %s must hold integers", Name().c_str(), name);
  return std::make_optional(constant->ints);
}

Result<std::optional<float>> NodeImport::Scalar(const char* name, size_t input, int64_t input_since) const {
  if (opset() < input_since) {
    if (!attributes.Has(name)) return std::optional<float>();
    return std::make_optional(attributes.Float(name, 0));
  }
  if (!Has(input)) return std::optional<float>();
  AQ_ASSIGN_OR_RETURN(const Constant* constant, ConstantInput(input));
  if (constant->size() != 1) return Error(Code::kCorrupt, "%s: %s must be a scalar", Name().c_str(), name);
  return std::make_optional(constant->AsFloat(0));
}

Result<ValueId> NodeImport::Emit(const std::string& suffix, Attributes attributes_in, std::vector<ValueId> inputs,
                                 Shape declared) {
  std::vector<Shape> shapes;
  for (ValueId input : inputs) shapes.push_back(ShapeOf(input));
  Result<Shape> shape = InferShape(attributes_in, shapes, declared);
  if (!shape.ok()) return NotSupported("%s", shape.status().message().c_str());
  const std::string end = suffix.empty() ? "" : "/" + suffix;
  const ValueId output = static_cast<ValueId>(state_.graph.values.size());
  state_.graph.values.push_back({.name = OutputName(0) + end, .shape = std::move(shape).value()});
  state_.graph.nodes.push_back(
      {.name = Name() + end, .attributes = std::move(attributes_in), .inputs = std::move(inputs), .output = output});
  return output;
}

Status NodeImport::Finish(Attributes attributes_in, std::vector<ValueId> inputs, Shape declared, size_t output) {
  AQ_ASSIGN_OR_RETURN(const ValueId value, Emit("", std::move(attributes_in), std::move(inputs), std::move(declared)));
  state_.graph.values[static_cast<size_t>(value)].name = OutputName(output);
  Bind(output, value);
  return {};
}

void NodeImport::Bind(size_t output, ValueId value) {
  state_.operands[OutputName(output)] = {.kind = Operand::kValue, .value = value, .constant = nullptr};
}

void NodeImport::BindConstant(size_t output, Constant constant) {
  state_.constants.push_back(std::move(constant));
  state_.operands[OutputName(output)] = {.kind = Operand::kConstant, .value = -1, .constant = &state_.constants.back()};
}

Result<ValueId> NodeImport::LiftTo4d(ValueId value) {
  const Shape shape = ShapeOf(value);
  if (shape.size() == 4) return value;
  if (shape.size() == 2) return Emit("to4d", Reshape{}, {value}, {shape[0], shape[1], 1, 1});
  if (shape.size() == 3) return Emit("to4d", Reshape{}, {value}, {shape[0], shape[1], 1, shape[2]});
  return NotSupported("%zu dimensions, 2 to 4 are supported", shape.size());
}

Status NodeImport::FinishLifted(Attributes attributes_in, std::vector<ValueId> inputs, size_t rank) {
  if (rank == 4) return Finish(std::move(attributes_in), std::move(inputs), {}, 0);
  AQ_ASSIGN_OR_RETURN(const ValueId lifted, Emit("4d", std::move(attributes_in), std::move(inputs), {}));
  const Shape shape = ShapeOf(lifted);
  return Finish(Reshape{}, {lifted}, rank == 2 ? Shape{shape[0], shape[1]} : Shape{shape[0], shape[1], shape[3]}, 0);
}

}  // namespace aq::converter
