// SPDX-License-Identifier: Apache-2.0
// Concat: joins tensors along any axis but the first; each input is rescaled to the output's quantisation, or copied
// when the rescaling is the identity.
#include <cstring>

#include "kernels/elementwise/elementwise.h"
#include "runtime/ops/quantized.h"
#include "runtime/validate.h"

namespace aq {
namespace {

struct Part {
  Requantize requantize;
  bool is_copy = false;
  size_t channels = 0;    // per row
  size_t rows = 0;        // contiguous rows per outer index, in the input as in the output
  size_t out_offset = 0;  // of the part within one outer index of the output
};

struct State {
  const RowKernels* kernels = nullptr;
  const Part* parts = nullptr;
  size_t count = 0;
  size_t out_stride = 0;  // output bytes per outer index
};

// Units: indices of the dimensions before the axis.
void Run(const void* state, const RunArguments& arguments, size_t begin, size_t end, void*) {
  const State& s = *static_cast<const State*>(state);
  for (size_t i = 0; i < s.count; ++i) {
    const Part& part = s.parts[i];
    const size_t in_stride = part.rows * part.channels;
    for (size_t outer = begin; outer < end; ++outer) {
      const uint8_t* in = arguments.inputs[i] + outer * in_stride;
      uint8_t* out = static_cast<uint8_t*>(arguments.outputs[0]) + outer * s.out_stride + part.out_offset;
      if (part.is_copy) {
        std::memcpy(out, in, in_stride);
        continue;
      }
      for (size_t row = 0; row < part.rows; ++row) {
        s.kernels->add(in + row * part.channels, nullptr, 0, part.channels, part.requantize, out + row * part.channels);
      }
    }
  }
}

size_t AxisOf(const OpContext& op) { return static_cast<size_t>(op.op.table->attributes_as_Concat()->axis()); }

uint64_t Product(const Shape& shape, size_t begin, size_t end) {
  uint64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= static_cast<uint64_t>(shape.dims[i]);
  return product;
}

// ratio 1 and equal zero points: v is code << 8 exactly, and no border is below 0.
bool IsIdentity(const RequantizeSource& source, const Tensor& in, const Tensor& out) {
  const Scaling s = source.At(0);
  return s.ratio == 1 << kSumFractionBits && s.offset == in.zero_point << kFractionBits && in.bits() <= out.bits() &&
         out.thresholds.empty();
}

}  // namespace

Status ValidateConcat(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, kMaxOpInputs));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckIsCodes(op, 0));
  const Tensor& out = op.output(0);
  const int32_t axis = op.op.table->attributes_as_Concat()->axis();
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "axis", axis, 1, out.shape.rank - 1));
  Shape expected = op.input(0).shape;
  int64_t joined = 0;
  for (size_t i = 0; i < op.op.inputs.size(); ++i) {
    const Tensor& in = op.input(i);
    Shape aligned = in.shape;
    AQ_RETURN_IF_ERROR(CheckRank(op, in, out.shape.rank));
    joined += in.shape.dims[AxisOf(op)];
    aligned.dims[AxisOf(op)] = expected.dims[AxisOf(op)];
    if (aligned != expected) {
      return Error(Code::kCorrupt, "op %s: shapes of inputs %s and %s differ outside axis %d", op.op.name,
                   op.input(0).name, in.name, axis);
    }
    AQ_RETURN_IF_ERROR(CheckRequantize(op, static_cast<uint32_t>(i),
                                       {.multiplies = false, .ratio = true, .residual_ratio = false}, 1));
  }
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "sum of dimensions along the axis", joined, out.shape.dims[AxisOf(op)],
                                out.shape.dims[AxisOf(op)]));
  expected.dims[AxisOf(op)] = static_cast<int32_t>(joined);
  AQ_RETURN_IF_ERROR(CheckShape(op, 0, expected.span()));
  AQ_RETURN_IF_ERROR(CheckRequantizeCount(op, static_cast<uint32_t>(op.op.inputs.size())));
  *work = out.elements;
  return {};
}

void PrepareConcat(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  const Tensor& out = op.output(0);
  const size_t axis = AxisOf(op);
  const size_t last = static_cast<size_t>(out.shape.rank - 1);
  State state;
  state.kernels = SelectRowKernels(target.isas);
  state.count = op.op.inputs.size();
  state.out_stride = static_cast<size_t>(Product(out.shape, axis, last + 1));
  Part* parts = memory->Take<Part>(state.count);
  size_t out_offset = 0;
  for (size_t i = 0; i < state.count; ++i) {
    const Tensor& in = op.input(i);
    RequantizeSource source = SourceOf(op, static_cast<uint32_t>(i), out);
    source.is_addition = true;
    source.zero_point_a = in.zero_point;
    const size_t channels = static_cast<size_t>(in.channels());
    if (axis == last && !source.thresholds.empty()) {
      source.thresholds = source.thresholds.subspan(out_offset * kThresholds, channels * kThresholds);
    }
    Part part;
    part.is_copy = IsIdentity(source, in, out);
    part.channels = channels;
    part.rows = static_cast<size_t>(Product(in.shape, axis, last));
    part.out_offset = out_offset;
    part.requantize = TakeRequantize(source, channels, memory);
    out_offset += part.rows * channels;
    if (!memory->is_measuring()) parts[i] = part;
  }
  state.parts = parts;
  prepared->kernel = state.kernels->name;
  prepared->units = static_cast<size_t>(Product(out.shape, 0, axis));
  prepared->work = out.elements;
  prepared->run = Run;
  prepared->state = memory->Store(state);
}

}  // namespace aq
