// SPDX-License-Identifier: Apache-2.0
// Dense: [1, k] or [1, 1, 1, k] to [1, n] or [1, 1, 1, n].
#include "runtime/ops/layer.h"

namespace aq {
namespace {

Layer DenseLayer(const OpContext& op) {
  ConvGeometry geometry;
  geometry.in_c = op.input(0).channels();
  geometry.out_c = op.output(0).channels();
  return {geometry, op.op.table->attributes_as_Dense()->weights(), {}};
}

Status CheckIsVector(const OpContext& op, const Tensor& tensor) {
  AQ_RETURN_IF_ERROR(CheckIsImage(op, tensor));
  const Image image = ImageOf(tensor.shape);
  if (image.h == 1 && image.w == 1) return {};
  return Error(Code::kCorrupt, "op %s: tensor %s is %d x %d, expected 1 x 1", op.op.name, tensor.name, image.h,
               image.w);
}

}  // namespace

Status ValidateDense(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 2));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 2));
  AQ_RETURN_IF_ERROR(CheckIsVector(op, op.input(0)));
  AQ_RETURN_IF_ERROR(CheckIsVector(op, op.output(0)));
  return ValidateLayer(op, DenseLayer(op), work);
}

void PrepareDense(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  PrepareLayer(op, DenseLayer(op), target, memory, prepared);
}

}  // namespace aq
