// SPDX-License-Identifier: Apache-2.0
// Pool: maximum and average; global pooling is a window of the whole image.
#include "kernels/pool/pool.h"

#include <algorithm>
#include <vector>

#include "runtime/ops/quantized.h"
#include "runtime/ops/window.h"

namespace aq {
namespace {

void Run(const void* state, const RunArguments& arguments, size_t begin, size_t end, void* scratch) {
  Pool(*static_cast<const Pooling*>(state), arguments.inputs[0], arguments.outputs[0], begin, end, scratch);
}

const schema::Pool& TableOf(const OpContext& op) { return *op.op.table->attributes_as_Pool(); }

bool IsAverage(const OpContext& op) { return TableOf(op).kind() == schema::PoolKind::Average; }

// Entries of the requantisation: one per window count, or one in all.
size_t EntriesOf(const OpContext& op) {
  return TableOf(op).count_include_pad() ? 1 : static_cast<size_t>(WindowOf(TableOf(op)).taps());
}

// Taps inside the image along one axis, for output position `at`.
int32_t TapsInside(int32_t at, int32_t stride, int32_t pad, int32_t kernel, int32_t size) {
  const int32_t begin = at * stride - pad;
  return std::min(begin + kernel, size) - std::max(begin, 0);
}

// Which window counts occur: only these get arrays of their own.
std::vector<bool> OccurringCounts(const ConvGeometry& g) {
  std::vector<bool> rows(static_cast<size_t>(g.kernel_h) + 1), columns(static_cast<size_t>(g.kernel_w) + 1);
  for (int32_t y = 0; y < g.out_h; ++y) {
    rows[static_cast<size_t>(TapsInside(y, g.stride_h, g.pad_top, g.kernel_h, g.in_h))] = true;
  }
  for (int32_t x = 0; x < g.out_w; ++x) {
    columns[static_cast<size_t>(TapsInside(x, g.stride_w, g.pad_left, g.kernel_w, g.in_w))] = true;
  }
  std::vector<bool> counts(static_cast<size_t>(g.kernel_h) * static_cast<size_t>(g.kernel_w) + 1);
  for (size_t y = 1; y < rows.size(); ++y) {
    for (size_t x = 1; x < columns.size(); ++x) {
      if (rows[y] && columns[x]) counts[y * x] = true;
    }
  }
  return counts;
}

// The source of one entry: the table's vectors run over window counts, not channels.
RequantizeSource EntrySource(const OpContext& op, size_t entry) {
  RequantizeSource source = SourceOf(op, 0, op.output(0));
  const auto one = [entry](auto values) { return values.size() == 1 ? values : values.subspan(entry, 1); };
  source.multiplier = one(source.multiplier);
  source.shift = one(source.shift);
  source.offset = one(source.offset);
  return source;
}

const Requantize* TakePoolRequantize(const OpContext& op, const ConvGeometry& geometry, ConstantMemory* memory) {
  const size_t entries = EntriesOf(op);
  const std::vector<bool> occurs = OccurringCounts(geometry);
  Requantize* stored = memory->Take<Requantize>(entries);
  Requantize any;
  for (size_t i = 0; i < entries; ++i) {
    if (entries > 1 && !occurs[i + 1]) continue;
    any = TakeRequantize(EntrySource(op, i), static_cast<size_t>(geometry.out_c), memory);
    if (!memory->is_measuring()) stored[i] = any;
  }
  for (size_t i = 0; i < entries && !memory->is_measuring(); ++i) {
    if (!stored[i].offset) stored[i] = any;  // never looked up, but never a trap either
  }
  return stored;
}

}  // namespace

Status ValidatePool(const OpContext& op, uint64_t* work) {
  AQ_RETURN_IF_ERROR(CheckInputs(op.op, 1, 1));
  AQ_RETURN_IF_ERROR(CheckOutputs(op.op, 1, 1));
  const Tensor& in = op.input(0);
  const Tensor& out = op.output(0);
  AQ_RETURN_IF_ERROR(CheckRank(op, in, 4));
  AQ_RETURN_IF_ERROR(CheckRank(op, out, 4));
  const schema::Pool& table = TableOf(op);
  if (table.kind() != schema::PoolKind::Max && table.kind() != schema::PoolKind::Average) {
    return Error(Code::kUnsupported, "op %s: pooling kind %d is unknown to this runtime", op.op.name,
                 static_cast<int>(table.kind()));
  }
  const Window window = WindowOf(table);
  AQ_RETURN_IF_ERROR(CheckWindow(op, window, ImageOf(in.shape), ImageOf(out.shape)));
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "output channels", out.channels(), in.channels(), in.channels()));
  if (!CheckedMultiply(out.elements, static_cast<uint64_t>(window.taps()), work)) {
    return Error(Code::kLimit, "op %s: %llu outputs of %lld taps", op.op.name,
                 static_cast<unsigned long long>(out.elements), static_cast<long long>(window.taps()));
  }
  if (!IsAverage(op)) {
    AQ_RETURN_IF_ERROR(CheckNoRequantize(op));
    return CheckSameQuantization(op);
  }
  AQ_RETURN_IF_ERROR(CheckRequantizeCount(op, 1));
  const size_t entries = EntriesOf(op);
  AQ_RETURN_IF_ERROR(CheckRequantize(op, 0, {.multiplies = true, .ratio = false, .residual_ratio = false}, entries));
  for (size_t i = 0; i < entries; ++i) {
    const int64_t count = entries == 1 ? window.taps() : static_cast<int64_t>(i) + 1;
    const int64_t bound = count * in.max_deviation();
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "largest sum of a window", bound, 0, (int64_t{1} << 31) - 1));
    const int32_t narrow = static_cast<int32_t>(bound);
    AQ_RETURN_IF_ERROR(CheckScalings(op, EntrySource(op, i), {&narrow, 1}, 1));
  }
  return {};
}

void PreparePool(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  const schema::Pool& table = TableOf(op);
  const Image in = ImageOf(op.input(0).shape), out = ImageOf(op.output(0).shape);
  Pooling state;
  state.geometry = GeometryOf(WindowOf(table), in, out, 1);
  state.is_average = IsAverage(op);
  state.count_include_pad = table.count_include_pad();
  state.input_zero_point = op.input(0).zero_point;
  state.kernels = SelectRowKernels(target.isas);
  if (state.is_average) state.requantize = TakePoolRequantize(op, state.geometry, memory);
  prepared->kernel = state.kernels->name;
  prepared->units = static_cast<size_t>(out.h) * static_cast<size_t>(out.w);
  prepared->work = op.output(0).elements * static_cast<uint64_t>(WindowOf(table).taps());
  prepared->scratch_bytes = PoolScratchBytes(state);
  prepared->run = Run;
  prepared->state = memory->Store(state);
}

}  // namespace aq
