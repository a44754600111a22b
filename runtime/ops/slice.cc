// SPDX-License-Identifier: Apache-2.0
// Slice: out[i] = in[begin + i * stride] along every dimension.
#include "runtime/ops/copy.h"
#include "runtime/validate.h"

namespace aq {
namespace {

void Run(const void* state, const RunArguments& arguments, size_t, size_t, void*) {
  CopyStrided(*static_cast<const StridedCopy*>(state), arguments.inputs[0],
              static_cast<uint8_t*>(arguments.outputs[0]));
}

}  // namespace

Status ValidateSlice(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckNoRequantize(op));
  AQ_RETURN_IF_ERROR(CheckSameQuantization(op));
  const Shape& in = op.input(0).shape;
  const Shape& out = op.output(0).shape;
  const auto begin = Elements(op.op.table->attributes_as_Slice()->begin());
  const auto stride = Elements(op.op.table->attributes_as_Slice()->stride());
  AQ_RETURN_IF_ERROR(CheckRank(op, op.output(0), in.rank));
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "length of begin", static_cast<int64_t>(begin.size()), in.rank, in.rank));
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "length of stride", static_cast<int64_t>(stride.size()), in.rank, in.rank));
  for (size_t i = 0; i < begin.size(); ++i) {
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "begin", begin[i], 0, in.dims[i] - 1));
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "stride", stride[i], 1, in.dims[i]));
    const int64_t last = begin[i] + int64_t{out.dims[i] - 1} * stride[i];
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "last index", last, 0, in.dims[i] - 1));
  }
  *work = op.output(0).elements;
  return {};
}

void PrepareSlice(const OpContext& op, const Target&, ConstantMemory* memory, PreparedOp* prepared) {
  const auto begin = Elements(op.op.table->attributes_as_Slice()->begin());
  const auto stride = Elements(op.op.table->attributes_as_Slice()->stride());
  const auto in_strides = DenseStrides(op.input(0).shape);
  const Tensor& out = op.output(0);
  StridedCopy copy;
  copy.rank = out.shape.rank;
  copy.out_strides = DenseStrides(out.shape);
  for (size_t i = 0; i < begin.size(); ++i) {
    copy.extents[i] = static_cast<size_t>(out.shape.dims[i]);
    copy.in_strides[i] = in_strides[i] * static_cast<size_t>(stride[i]);
    copy.in_begin += in_strides[i] * static_cast<size_t>(begin[i]);
  }
  prepared->kernel = "copy";
  prepared->work = out.elements;
  prepared->run = Run;
  prepared->state = memory->Store(copy);
}

}  // namespace aq
