// SPDX-License-Identifier: Apache-2.0
// Import of Add, Sub, Mul, Div, Min and Max: with a scalar constant a function of one value, with one constant per
// channel a depthwise 1x1 Conv (FoldAffine folds both), of two activations a node of its own.
#include <algorithm>

#include "converter/onnx_fold.h"
#include "converter/onnx_import.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

// y = scale x + shift for one element of the constant; false where that is not what the op does.
bool AffineOf(const std::string& op, bool is_constant_first, float c, float* scale, float* shift) {
  *scale = 1, *shift = 0;
  if (op == "Add") return *shift = c, true;
  if (op == "Mul") return *scale = c, true;
  if (op == "Sub") {
    *scale = is_constant_first ? -1.0f : 1.0f;
    *shift = is_constant_first ? c : -c;
    return true;
  }
  *scale = 1.0f / c;
  return op == "Div" && !is_constant_first && c != 0;
}

// One entry per channel of `in` (or one in all); empty where the constant varies along another dimension.
std::vector<float> PerChannel(const Constant& constant, const Shape& in) {
  const Result<Shape> broadcast = BroadcastShape(constant.shape, in);
  if (!broadcast.ok() || broadcast.value() != in) return {};
  if (constant.size() == 1) return {constant.AsFloat(0)};
  Shape per_channel(in.size(), 1);
  per_channel[1] = in[1];
  const Result<Shape> fits = BroadcastShape(constant.shape, per_channel);
  if (!fits.ok() || fits.value() != per_channel) return {};
  return ToFloats(constant);
}

Status ImportWithConstant(NodeImport& node) {
  const bool is_constant_first = node.IsConstant(0);
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(is_constant_first ? 1 : 0));
  AQ_ASSIGN_OR_RETURN(const Constant* constant, node.ConstantInput(is_constant_first ? 0 : 1));
  const Shape in = node.ShapeOf(x);
  const std::vector<float> values = PerChannel(*constant, in);
  if (values.empty()) {
    return NotSupported("constant %s on %s: neither a scalar nor one per channel", ShapeText(constant->shape).c_str(),
                        ShapeText(in).c_str());
  }
  std::vector<float> scale(values.size()), shift(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!AffineOf(node.op(), is_constant_first, values[i], &scale[i], &shift[i])) {
      return NotSupported("division %s", is_constant_first ? "of a constant" : "by zero");
    }
  }
  if (values.size() == 1) {
    return node.Finish(Elementwise{.function = Function::kAffine, .alpha = scale[0], .beta = shift[0]}, {x}, {}, 0);
  }
  AQ_ASSIGN_OR_RETURN(const ValueId lifted, node.LiftTo4d(x));
  Conv conv;
  conv.groups = in[1];
  conv.weights = std::move(scale);
  conv.bias = std::move(shift);
  return node.FinishLifted(std::move(conv), {lifted}, in.size());
}

Status ImportArithmetic(NodeImport& node) {
  if (node.IsConstant(0) || node.IsConstant(1)) return ImportWithConstant(node);
  AQ_ASSIGN_OR_RETURN(ValueId a, node.Input(0));
  AQ_ASSIGN_OR_RETURN(ValueId b, node.Input(1));
  if (node.op() == "Div") return NotSupported("quotient of two activations");
  if (node.op() == "Sub") {
    AQ_ASSIGN_OR_RETURN(b, node.Emit("negative", Elementwise{.function = Function::kNeg}, {b}, {}));
  }
  if (node.op() == "Mul") {
    if (Elements(node.ShapeOf(a)) < Elements(node.ShapeOf(b))) std::swap(a, b);
    return node.Finish(Mul{}, {a, b}, {}, 0);
  }
  return node.Finish(Add{}, {a, b}, {}, 0);
}

// Min and Max with scalars are clips.
Status ImportExtremum(NodeImport& node) {
  ValueId x = -1;
  Elementwise clip{.function = Function::kClip, .alpha = -kInfinity, .beta = kInfinity};
  for (size_t i = 0; i < node.num_inputs(); ++i) {
    if (!node.IsConstant(i)) {
      if (x >= 0) return NotSupported("of two activations");
      AQ_ASSIGN_OR_RETURN(x, node.Input(i));
      continue;
    }
    AQ_ASSIGN_OR_RETURN(const Constant* constant, node.ConstantInput(i));
    if (constant->size() != 1) return NotSupported("with a constant %s", ShapeText(constant->shape).c_str());
    if (node.op() == "Max") {
      clip.alpha = std::max(clip.alpha, constant->AsFloat(0));
    } else {
      clip.beta = std::min(clip.beta, constant->AsFloat(0));
    }
  }
  return node.Finish(clip, {x}, {}, 0);
}

}  // namespace

std::vector<ImportRow> BinaryOps() {
  return {{"Add", ImportArithmetic}, {"Sub", ImportArithmetic}, {"Mul", ImportArithmetic},
          {"Div", ImportArithmetic}, {"Min", ImportExtremum},   {"Max", ImportExtremum}};
}

}  // namespace aq::converter
