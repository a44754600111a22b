// SPDX-License-Identifier: Apache-2.0
// Transpose: output dimension i is input dimension permutation[i].
#include "runtime/ops/copy.h"
#include "runtime/validate.h"

namespace aq {
namespace {

void Run(const void* state, const RunArguments& arguments, size_t, size_t, void*) {
  CopyStrided(*static_cast<const StridedCopy*>(state), arguments.inputs[0],
              static_cast<uint8_t*>(arguments.outputs[0]));
}

}  // namespace

Status ValidateTranspose(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckNoRequantize(op));
  AQ_RETURN_IF_ERROR(CheckSameQuantization(op));
  const Shape& in = op.input(0).shape;
  const auto permutation = Elements(op.op.table->attributes_as_Transpose()->permutation());
  AQ_RETURN_IF_ERROR(
      CheckRange(op.op, "length of the permutation", static_cast<int64_t>(permutation.size()), in.rank, in.rank));
  Shape expected = in;
  unsigned seen = 0;
  for (size_t i = 0; i < permutation.size(); ++i) {
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "permutation entry", permutation[i], 0, in.rank - 1));
    seen |= 1u << permutation[i];
    expected.dims[i] = in.dims[static_cast<size_t>(permutation[i])];
  }
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "set of permuted dimensions", seen, (1 << in.rank) - 1, (1 << in.rank) - 1));
  *work = op.input(0).elements;
  return CheckShape(op, 0, expected.span());
}

void PrepareTranspose(const OpContext& op, const Target&, ConstantMemory* memory, PreparedOp* prepared) {
  const auto permutation = Elements(op.op.table->attributes_as_Transpose()->permutation());
  const auto in_strides = DenseStrides(op.input(0).shape);
  const Tensor& out = op.output(0);
  StridedCopy copy;
  copy.rank = out.shape.rank;
  copy.out_strides = DenseStrides(out.shape);
  for (size_t i = 0; i < permutation.size(); ++i) {
    copy.extents[i] = static_cast<size_t>(out.shape.dims[i]);
    copy.in_strides[i] = in_strides[static_cast<size_t>(permutation[i])];
  }
  prepared->kernel = "copy";
  prepared->work = out.elements;
  prepared->run = Run;
  prepared->state = memory->Store(copy);
}

}  // namespace aq
