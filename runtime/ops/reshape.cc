// SPDX-License-Identifier: Apache-2.0
// Reshape: the same codes in the same order under another shape.
#include <cstring>

#include "runtime/validate.h"

namespace aq {
namespace {

void Run(const void*, const RunArguments& arguments, size_t begin, size_t end, void*) {
  std::memcpy(static_cast<uint8_t*>(arguments.outputs[0]) + begin, arguments.inputs[0] + begin, end - begin);
}

}  // namespace

Status ValidateReshape(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckNoRequantize(op));
  AQ_RETURN_IF_ERROR(CheckSameQuantization(op));
  const int64_t elements = static_cast<int64_t>(op.input(0).elements);
  *work = op.input(0).elements;
  return CheckRange(op.op, "number of output elements", static_cast<int64_t>(op.output(0).elements), elements,
                    elements);
}

void PrepareReshape(const OpContext& op, const Target&, ConstantMemory*, PreparedOp* prepared) {
  prepared->kernel = "copy";
  prepared->units = op.output(0).bytes;
  prepared->work = op.output(0).elements;
  prepared->run = Run;
}

}  // namespace aq
