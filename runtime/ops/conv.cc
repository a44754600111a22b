// SPDX-License-Identifier: Apache-2.0
// Conv2D: any groups, stride, dilation and padding; optional residual input; up to two outputs.
#include "runtime/ops/layer.h"
#include "runtime/ops/window.h"

namespace aq {
namespace {

Window ConvWindow(const schema::Conv2D& conv) {
  Window window = WindowOf(conv);
  window.dilation_h = conv.dilation_h();
  window.dilation_w = conv.dilation_w();
  return window;
}

Layer ConvLayer(const OpContext& op) {
  const schema::Conv2D& conv = *op.op.table->attributes_as_Conv2D();
  const ConvGeometry geometry =
      GeometryOf(ConvWindow(conv), ImageOf(op.input(0).shape), ImageOf(op.output(0).shape), conv.groups());
  return {geometry, conv.weights(), Elements(conv.pad_codes())};
}

}  // namespace

Status ValidateConv2D(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 2));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 2));
  AQ_RETURN_IF_ERROR(CheckRank(op, op.input(0), 4));
  AQ_RETURN_IF_ERROR(CheckRank(op, op.output(0), 4));
  const schema::Conv2D& conv = *op.op.table->attributes_as_Conv2D();
  AQ_RETURN_IF_ERROR(CheckWindow(op, ConvWindow(conv), ImageOf(op.input(0).shape), ImageOf(op.output(0).shape)));
  const int64_t pad_codes = static_cast<int64_t>(Elements(conv.pad_codes()).size());
  if (pad_codes != 0) {
    AQ_RETURN_IF_ERROR(
        CheckRange(op.op, "number of padding codes", pad_codes, op.input(0).channels(), op.input(0).channels()));
  }
  return ValidateLayer(op, ConvLayer(op), work);
}

void PrepareConv2D(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  PrepareLayer(op, ConvLayer(op), target, memory, prepared);
}

}  // namespace aq
