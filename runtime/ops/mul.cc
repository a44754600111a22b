// SPDX-License-Identifier: Apache-2.0
// Mul: element by element, or each pixel by one vector of channels (squeeze-and-excite).
#include "kernels/elementwise/elementwise.h"
#include "runtime/ops/quantized.h"
#include "runtime/validate.h"

namespace aq {
namespace {

struct State {
  const RowKernels* kernels = nullptr;
  Requantize requantize;
  size_t channels = 0;
  int32_t zero_a = 0, zero_b = 0;
  bool broadcasts = false;
};

void Run(const void* state, const RunArguments& arguments, size_t begin, size_t end, void*) {
  const State& s = *static_cast<const State*>(state);
  for (size_t row = begin; row < end; ++row) {
    const size_t at = row * s.channels;
    s.kernels->multiply(arguments.inputs[0] + at, arguments.inputs[1] + (s.broadcasts ? 0 : at), s.zero_a, s.zero_b, 0,
                        s.channels, s.requantize, static_cast<uint8_t*>(arguments.outputs[0]) + at);
  }
}

}  // namespace

Status ValidateMul(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 2, 2));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckIsCodes(op, 0));
  AQ_RETURN_IF_ERROR(CheckShape(op, 0, op.input(0).shape.span()));
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(1);
  if (b.shape != a.shape && !(b.channels() == a.channels() && b.elements == static_cast<uint64_t>(b.channels()))) {
    return Error(Code::kCorrupt, "op %s: %s has %llu elements in %d channels, expected %s's shape or its %d channels",
                 op.op.name, b.name, static_cast<unsigned long long>(b.elements), b.channels(), a.name, a.channels());
  }
  const size_t channels = static_cast<size_t>(a.channels());
  AQ_RETURN_IF_ERROR(CheckRequantizeCount(op, 1));
  AQ_RETURN_IF_ERROR(CheckRequantize(op, 0, {.multiplies = true, .ratio = false, .residual_ratio = false}, channels));
  const int32_t bound = a.max_deviation() * b.max_deviation();
  AQ_RETURN_IF_ERROR(CheckScalings(op, SourceOf(op, 0, op.output(0)), {&bound, 1}, channels));
  *work = a.elements;
  return {};
}

void PrepareMul(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  State state;
  state.kernels = SelectRowKernels(target.isas);
  state.channels = static_cast<size_t>(op.output(0).channels());
  state.zero_a = op.input(0).zero_point;
  state.zero_b = op.input(1).zero_point;
  state.broadcasts = op.input(0).shape != op.input(1).shape;
  state.requantize = TakeRequantize(SourceOf(op, 0, op.output(0)), state.channels, memory);
  prepared->kernel = state.kernels->name;
  prepared->units = op.output(0).bytes / state.channels;
  prepared->work = op.output(0).elements;
  prepared->run = Run;
  prepared->state = memory->Store(state);
}

}  // namespace aq
