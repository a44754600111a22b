// SPDX-License-Identifier: Apache-2.0
// Import of functions of one value, and of what ends a classifier (Softmax) or is a no-op when not training.
#include <algorithm>
#include <cinttypes>
#include <string_view>

#include "converter/onnx_import.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

struct FunctionRow {
  const char* op;
  Function function;
  float alpha, beta;  // defaults of the attributes of these names
};
constexpr FunctionRow kFunctions[] = {{"Relu", Function::kRelu, 0, 0},
                                      {"LeakyRelu", Function::kLeakyRelu, 0.01f, 0},
                                      {"Sigmoid", Function::kSigmoid, 0, 0},
                                      {"HardSigmoid", Function::kHardSigmoid, 0.2f, 0.5f},
                                      {"HardSwish", Function::kHardSwish, 0, 0},
                                      {"Tanh", Function::kTanh, 0, 0},
                                      {"Elu", Function::kElu, 1.0f, 0},
                                      {"Softplus", Function::kSoftplus, 0, 0},
                                      {"Exp", Function::kExp, 0, 0},
                                      {"Abs", Function::kAbs, 0, 0},
                                      {"Neg", Function::kNeg, 0, 0}};

Status ImportFunction1(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  for (const FunctionRow& row : kFunctions) {
    if (node.op() != row.op) continue;
    return node.Finish(Elementwise{.function = row.function,
                                   .alpha = node.attributes.Float("alpha", row.alpha),
                                   .beta = node.attributes.Float("beta", row.beta)},
                       {x}, {}, 0);
  }
  return NotSupported("not in the table of functions");
}

Status ImportGelu(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  if (node.attributes.String("approximate", "none") != "none") return NotSupported("approximate = tanh");
  return node.Finish(Elementwise{.function = Function::kGelu}, {x}, {}, 0);
}

Status ImportClip(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const auto low, node.Scalar("min", 1, 11));
  AQ_ASSIGN_OR_RETURN(const auto high, node.Scalar("max", 2, 11));
  return node.Finish(
      Elementwise{.function = Function::kClip, .alpha = low.value_or(-kInfinity), .beta = high.value_or(kInfinity)},
      {x}, {}, 0);
}

// One slope for the whole tensor.
Status ImportPRelu(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const Constant* slope, node.ConstantInput(1));
  for (size_t i = 1; i < slope->size(); ++i) {
    if (slope->AsFloat(i) != slope->AsFloat(0))
      return NotSupported("slopes %s differ", ShapeText(slope->shape).c_str());
  }
  if (slope->size() == 0) return Error(Code::kCorrupt, "%s: no slope", node.Name().c_str());
  return node.Finish(Elementwise{.function = Function::kLeakyRelu, .alpha = slope->AsFloat(0)}, {x}, {}, 0);
}

// The order of scores does not change, so labels do not: dropped where it ends the network.
Status ImportSoftmax(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  if (!node.IsGraphOutput(0)) return NotSupported("only as the last node");
  const Shape& in = node.ShapeOf(x);
  const bool is_flattened = node.opset() < 13;  // before 13: over all dimensions from the axis on
  AQ_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(node.attributes.Int("axis", is_flattened ? 1 : -1), in.size()));
  const int64_t classes =
      is_flattened ? Elements(Shape(in.begin() + static_cast<std::ptrdiff_t>(axis), in.end())) : in[axis];
  if (classes != Elements(in)) {
    return NotSupported("axis %zu of %s: not over all classes at once", axis, ShapeText(in).c_str());
  }
  node.Bind(0, x);
  node.Warn(node.Name() + ": final " + node.op() + " removed; the output holds the scores before it");
  return {};
}

Status ImportNothing(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  node.Bind(0, x);
  return {};
}

Status ImportDropout(NodeImport& node) {
  if (node.Has(2)) {  // opset 12: training_mode
    AQ_ASSIGN_OR_RETURN(const Constant* training, node.ConstantInput(2));
    if (training->size() != 1 || training->AsFloat(0) != 0) return NotSupported("training_mode = 1");
  }
  return ImportNothing(node);
}

Status ImportCast(NodeImport& node) {
  // FLOAT, FLOAT16, DOUBLE, BFLOAT16: all computed in float here.
  const int64_t to = node.attributes.Int("to", 0);
  if (to != 1 && to != 10 && to != 11 && to != 16) return NotSupported("to element type %" PRId64, to);
  return ImportNothing(node);
}

}  // namespace

std::vector<ImportRow> ElementwiseOps() {
  std::vector<ImportRow> rows = {{"Gelu", ImportGelu},       {"Clip", ImportClip},          {"PRelu", ImportPRelu},
                                 {"Softmax", ImportSoftmax}, {"LogSoftmax", ImportSoftmax}, {"Identity", ImportNothing},
                                 {"Dropout", ImportDropout}, {"Cast", ImportCast}};
  for (const FunctionRow& row : kFunctions) rows.push_back({row.op, ImportFunction1});
  return rows;
}

}  // namespace aq::converter
