// SPDX-License-Identifier: Apache-2.0
// Add: two tensors of one shape under different quantisations; up to two outputs.
#include "kernels/elementwise/elementwise.h"
#include "runtime/ops/quantized.h"
#include "runtime/validate.h"

namespace aq {
namespace {

struct State {
  const RowKernels* kernels = nullptr;
  Requantize requantize[kMaxOutputs];
  size_t outputs = 1;
  size_t channels = 0;
};

void Run(const void* state, const RunArguments& arguments, size_t begin, size_t end, void*) {
  const State& s = *static_cast<const State*>(state);
  for (size_t row = begin; row < end; ++row) {
    const size_t at = row * s.channels;
    for (size_t i = 0; i < s.outputs; ++i) {
      s.kernels->add(arguments.inputs[0] + at, arguments.inputs[1] + at, 0, s.channels, s.requantize[i],
                     static_cast<uint8_t*>(arguments.outputs[i]) + at);
    }
  }
}

}  // namespace

Status ValidateAdd(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 2, 2));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 2));
  const uint32_t outputs = static_cast<uint32_t>(op.op.outputs.size());
  AQ_RETURN_IF_ERROR(CheckRequantizeCount(op, outputs));
  for (uint32_t i = 0; i < outputs; ++i) {
    AQ_RETURN_IF_ERROR(CheckIsCodes(op, i));
    AQ_RETURN_IF_ERROR(CheckShape(op, i, op.input(0).shape.span()));
    AQ_RETURN_IF_ERROR(CheckShape(op, i, op.input(1).shape.span()));
    const RequantizeUse use{.multiplies = false, .ratio = true, .residual_ratio = true};
    AQ_RETURN_IF_ERROR(CheckRequantize(op, i, use, static_cast<size_t>(op.output(i).channels())));
  }
  *work = op.output(0).elements * outputs;
  return {};
}

void PrepareAdd(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  State state;
  state.kernels = SelectRowKernels(target.isas);
  state.outputs = op.op.outputs.size();
  state.channels = static_cast<size_t>(op.output(0).channels());
  for (uint32_t i = 0; i < state.outputs; ++i) {
    RequantizeSource source = SourceOf(op, i, op.output(i));
    source.is_addition = true;
    source.zero_point_a = op.input(0).zero_point;
    source.residual_zero_point = op.input(1).zero_point;
    state.requantize[i] = TakeRequantize(source, state.channels, memory);
  }
  prepared->kernel = state.kernels->name;
  prepared->units = op.output(0).bytes / state.channels;
  prepared->work = op.output(0).elements;
  prepared->run = Run;
  prepared->state = memory->Store(state);
}

}  // namespace aq
