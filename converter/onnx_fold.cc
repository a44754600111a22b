// SPDX-License-Identifier: Apache-2.0
// FoldNode and the operations that make or convert constants.
#include "converter/onnx_fold.h"

#include <onnx/onnx_pb.h>

#include <cmath>

#include "converter/onnx_node.h"

namespace aq::converter {
namespace {

Result<Constant> FoldConstant(const onnx::NodeProto& node, const TensorSource& source) {
  const NodeAttributes attributes(node);
  if (const auto* value = attributes.Find("value")) return ReadTensor(value->t(), source);
  if (const auto* value = attributes.Find("value_float")) return FloatConstant({}, {value->f()});
  if (const auto* value = attributes.Find("value_int")) return IntConstant({}, {value->i()});
  if (const auto* value = attributes.Find("value_floats")) {
    return FloatConstant({value->floats_size()}, attributes.Floats("value_floats"));
  }
  if (const auto* value = attributes.Find("value_ints")) {
    return IntConstant({value->ints_size()}, attributes.Ints("value_ints"));
  }
  return Error(Code::kUnsupported, "Constant without a number");
}

Result<Constant> FoldConstantOfShape(const onnx::NodeProto& node, const Constant& shape, const TensorSource& source) {
  Constant value = FloatConstant({1}, {0.0f});
  if (const auto* attribute = NodeAttributes(node).Find("value")) {
    AQ_ASSIGN_OR_RETURN(value, ReadTensor(attribute->t(), source));
  }
  if (shape.is_float || value.size() != 1) return Error(Code::kCorrupt, "ConstantOfShape needs integers and one value");
  AQ_RETURN_IF_ERROR(CheckedElements(shape.ints, node.name(), kMaxFoldedElements).status());
  value.shape = {};
  return internal::BroadcastTo(value, shape.ints);
}

int64_t Truncate(float value) {
  if (!(std::fabs(value) < 9.2e18f)) return 0;  // also NaN
  return static_cast<int64_t>(value);
}

Result<Constant> FoldCast(const onnx::NodeProto& node, const Constant& in) {
  Constant out;
  out.shape = in.shape;
  switch (const int64_t to = NodeAttributes(node).Int("to", 0)) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::DOUBLE:
      out.is_float = true;
      out.floats = ToFloats(in);
      return out;
    case onnx::TensorProto::BOOL:
      for (size_t i = 0; i < in.size(); ++i) out.ints.push_back(in.AsFloat(i) != 0.0f ? 1 : 0);
      return out;
    case onnx::TensorProto::STRING:
    case onnx::TensorProto::COMPLEX64:
    case onnx::TensorProto::COMPLEX128:
    case 0:
      return Error(Code::kUnsupported, "Cast to type %d", static_cast<int>(to));
    default:
      for (size_t i = 0; i < in.size(); ++i) out.ints.push_back(in.is_float ? Truncate(in.floats[i]) : in.ints[i]);
      return out;
  }
}

Result<Constant> FoldRange(const std::vector<const Constant*>& inputs) {
  const Constant &start = *inputs[0], &limit = *inputs[1], &delta = *inputs[2];
  if (start.size() != 1 || limit.size() != 1 || delta.size() != 1) return Error(Code::kCorrupt, "Range needs scalars");
  const double step = delta.AsFloat(0);
  const double count =
      std::ceil((static_cast<double>(limit.AsFloat(0)) - static_cast<double>(start.AsFloat(0))) / step);
  if (!(count <= 1 << 24)) return Error(Code::kCorrupt, "Range of more than 2^24 elements");
  const size_t n = count > 0 ? static_cast<size_t>(count) : 0;
  Constant out;
  out.shape = {static_cast<int64_t>(n)};
  out.is_float = start.is_float;
  for (size_t i = 0; i < n; ++i) {
    if (out.is_float) {
      out.floats.push_back(start.floats[0] + static_cast<float>(i) * delta.AsFloat(0));
    } else {
      out.ints.push_back(static_cast<int64_t>(static_cast<uint64_t>(start.ints[0]) +
                                              i * static_cast<uint64_t>(Truncate(delta.AsFloat(0)))));
    }
  }
  return out;
}

}  // namespace

Result<Constant> FoldNode(const onnx::NodeProto& node, int64_t opset, const std::vector<const Constant*>& inputs,
                          const TensorSource& source) {
  const std::string& op = node.op_type();
  if (op == "Constant") return FoldConstant(node, source);
  struct Arity {
    const char* op;
    size_t least;
  };
  static constexpr Arity kArities[] = {{"ConstantOfShape", 1},
                                       {"Cast", 1},
                                       {"Identity", 1},
                                       {"Dropout", 1},
                                       {"Shape", 1},
                                       {"Size", 1},
                                       {"Gather", 2},
                                       {"Concat", 1},
                                       {"Unsqueeze", 1},
                                       {"Squeeze", 1},
                                       {"Reshape", 1},
                                       {"Flatten", 1},
                                       {"Transpose", 1},
                                       {"Slice", 1},
                                       {"Expand", 2},
                                       {"Range", 3},
                                       {"Where", 3},
                                       {"Equal", 2},
                                       {"Less", 2},
                                       {"Greater", 2},
                                       {"Add", 2},
                                       {"Sub", 2},
                                       {"Mul", 2},
                                       {"Div", 2},
                                       {"Pow", 2},
                                       {"Mod", 2},
                                       {"Min", 1},
                                       {"Max", 1},
                                       {"And", 2},
                                       {"Or", 2},
                                       {"Not", 1},
                                       {"Neg", 1},
                                       {"Abs", 1},
                                       {"Sqrt", 1},
                                       {"Reciprocal", 1},
                                       {"Exp", 1},
                                       {"Log", 1},
                                       {"Ceil", 1},
                                       {"Floor", 1},
                                       {"Round", 1},
                                       {"ReduceProd", 1},
                                       {"ReduceSum", 1},
                                       {"ReduceMax", 1},
                                       {"ReduceMin", 1}};
  const Arity* arity = nullptr;
  for (const Arity& row : kArities) {
    if (op == row.op) arity = &row;
  }
  if (!arity) return Error(Code::kUnsupported, "cannot be evaluated on constants");
  for (size_t i = 0; i < arity->least; ++i) {
    if (i >= inputs.size() || !inputs[i]) return Error(Code::kCorrupt, "input %zu is missing", i);
  }
  if (op == "ConstantOfShape") return FoldConstantOfShape(node, *inputs[0], source);
  if (op == "Cast") return FoldCast(node, *inputs[0]);
  if (op == "Identity" || op == "Dropout") return *inputs[0];
  if (op == "Range") return FoldRange(inputs);
  Result<Constant> moved = internal::FoldMovement(node, opset, inputs);
  if (moved.ok() || moved.status().code() != Code::kNotFound) return moved;
  return internal::FoldArithmetic(node, inputs);
}

}  // namespace aq::converter
