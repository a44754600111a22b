// SPDX-License-Identifier: Apache-2.0
// Pad: surrounds a tensor with its zero point.
#include <cstring>

#include "runtime/ops/copy.h"
#include "runtime/validate.h"

namespace aq {
namespace {

struct State {
  StridedCopy copy;
  size_t out_bytes = 0;
  uint8_t zero_point = 0;
};

void Run(const void* state, const RunArguments& arguments, size_t, size_t, void*) {
  const State& s = *static_cast<const State*>(state);
  std::memset(arguments.outputs[0], s.zero_point, s.out_bytes);
  CopyStrided(s.copy, arguments.inputs[0], static_cast<uint8_t*>(arguments.outputs[0]));
}

}  // namespace

Status ValidatePad(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckNoRequantize(op));
  AQ_RETURN_IF_ERROR(CheckSameQuantization(op));
  const Shape& in = op.input(0).shape;
  const auto before = Elements(op.op.table->attributes_as_Pad()->before());
  const auto after = Elements(op.op.table->attributes_as_Pad()->after());
  AQ_RETURN_IF_ERROR(CheckRank(op, op.output(0), in.rank));
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "length of before", static_cast<int64_t>(before.size()), in.rank, in.rank));
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "length of after", static_cast<int64_t>(after.size()), in.rank, in.rank));
  for (size_t i = 0; i < before.size(); ++i) {
    const int64_t out = op.output(0).shape.dims[i];
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "padding before", before[i], 0, out));
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "padding after", after[i], 0, out));
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "padded dimension", int64_t{before[i]} + in.dims[i] + after[i], out, out));
  }
  *work = op.output(0).elements;
  return {};
}

void PreparePad(const OpContext& op, const Target&, ConstantMemory* memory, PreparedOp* prepared) {
  const auto before = Elements(op.op.table->attributes_as_Pad()->before());
  const Tensor& in = op.input(0);
  const Tensor& out = op.output(0);
  State state;
  state.copy.rank = out.shape.rank;
  state.copy.in_strides = DenseStrides(in.shape);
  state.copy.out_strides = DenseStrides(out.shape);
  for (size_t i = 0; i < before.size(); ++i) {
    state.copy.extents[i] = static_cast<size_t>(in.shape.dims[i]);
    state.copy.out_begin += state.copy.out_strides[i] * static_cast<size_t>(before[i]);
  }
  state.out_bytes = out.bytes;
  state.zero_point = static_cast<uint8_t>(in.zero_point);
  prepared->kernel = "copy";
  prepared->work = out.elements;
  prepared->run = Run;
  prepared->state = memory->Store(state);
}

}  // namespace aq
