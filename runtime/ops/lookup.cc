// SPDX-License-Identifier: Apache-2.0
// Lookup: any function of one code, as a table.
#include <algorithm>

#include "kernels/elementwise/elementwise.h"
#include "runtime/validate.h"

namespace aq {
namespace {

struct State {
  const RowKernels* kernels = nullptr;
  uint8_t table[256] = {};
};

void Run(const void* state, const RunArguments& arguments, size_t begin, size_t end, void*) {
  const State& s = *static_cast<const State*>(state);
  s.kernels->lookup(arguments.inputs[0] + begin, end - begin, s.table,
                    static_cast<uint8_t*>(arguments.outputs[0]) + begin);
}

}  // namespace

Status ValidateLookup(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckIsCodes(op, 0));
  AQ_RETURN_IF_ERROR(CheckShape(op, 0, op.input(0).shape.span()));
  AQ_RETURN_IF_ERROR(CheckNoRequantize(op));
  const auto table = Elements(op.op.table->attributes_as_Lookup()->table());
  const int64_t entries = op.input(0).max_code() + 1;
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "table size", static_cast<int64_t>(table.size()), entries, entries));
  for (const uint8_t code : table)
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "table entry", code, 0, op.output(0).max_code()));
  *work = op.output(0).elements;
  return {};
}

void PrepareLookup(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  const auto table = Elements(op.op.table->attributes_as_Lookup()->table());
  State state;
  state.kernels = SelectRowKernels(target.isas);
  std::copy(table.begin(), table.end(), state.table);
  std::fill(state.table + table.size(), state.table + 256, table.back());  // codes above the input's bits do not occur
  prepared->kernel = state.kernels->name;
  prepared->units = op.output(0).bytes;
  prepared->work = op.output(0).elements;
  prepared->run = Run;
  prepared->state = memory->Store(state);
}

}  // namespace aq
