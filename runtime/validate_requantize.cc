// SPDX-License-Identifier: Apache-2.0
// Requantisation tables: which members an op uses, their lengths and ranges, and the proof that scaled values fit
// int32.
#include "runtime/validate.h"

namespace aq {
namespace {

constexpr int64_t kMaxOffset = (int64_t{1} << 24) - 1;
constexpr int64_t kMaxRatio = int64_t{1} << 21;

template <class T>
Status CheckEntries(const OpContext& op, uint32_t index, const char* what, const flatbuffers::Vector<T>* vector,
                    bool is_used, size_t entries, int64_t low, int64_t high) {
  const auto values = Elements(vector);
  if (!is_used) {
    if (!vector) return {};
    return Error(Code::kCorrupt, "op %s: requantize %u has %zu entries of %s, %s uses none", op.op.name, index,
                 values.size(), what, op.op.kind->type);
  }
  if (values.size() != 1 && values.size() != entries) {
    return Error(Code::kCorrupt, "op %s: requantize %u has %zu entries of %s, expected 1 or %zu", op.op.name, index,
                 values.size(), what, entries);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < low || values[i] > high) {
      return Error(Code::kCorrupt, "op %s: requantize %u, %s[%zu] is %lld, not in [%lld, %lld]", op.op.name, index,
                   what, i, static_cast<long long>(values[i]), static_cast<long long>(low),
                   static_cast<long long>(high));
    }
  }
  return {};
}

}  // namespace

Status CheckRequantize(const OpContext& op, uint32_t index, RequantizeUse use, size_t entries) {
  const auto* tables = op.op.table->requantize();
  if (!tables || index >= tables->size()) {
    return Error(Code::kCorrupt, "op %s: %u requantize tables, expected more than %u", op.op.name,
                 tables ? tables->size() : 0, index);
  }
  const schema::Requantize& rq = *tables->Get(index);
  AQ_RETURN_IF_ERROR(CheckEntries(op, index, "multiplier", rq.multiplier(), use.multiplies, entries, int64_t{1} << 30,
                                  (int64_t{1} << 31) - 1));
  AQ_RETURN_IF_ERROR(CheckEntries(op, index, "shift", rq.shift(), use.multiplies, entries, kMinShift, kMaxShift));
  AQ_RETURN_IF_ERROR(CheckEntries(op, index, "offset", rq.offset(), true, entries, -kMaxOffset, kMaxOffset));
  AQ_RETURN_IF_ERROR(CheckEntries(op, index, "ratio", rq.ratio(), use.ratio, entries, 0, kMaxRatio));
  return CheckEntries(op, index, "residual_ratio", rq.residual_ratio(), use.residual_ratio, entries, 0, kMaxRatio);
}

Status CheckRequantizeCount(const OpContext& op, uint32_t expected) {
  const auto* tables = op.op.table->requantize();
  const uint32_t count = tables ? tables->size() : 0;
  if (count == expected) return {};
  return Error(Code::kCorrupt, "op %s: %u requantize tables, expected %u", op.op.name, count, expected);
}

Status CheckNoRequantize(const OpContext& op) {
  const auto* tables = op.op.table->requantize();
  if (!tables || tables->size() == 0) return {};
  return Error(Code::kCorrupt, "op %s: %u requantize tables, %s uses none", op.op.name, tables->size(),
               op.op.kind->type);
}

Status CheckScalings(const OpContext& op, const RequantizeSource& source, std::span<const int32_t> bounds,
                     size_t channels) {
  for (size_t channel = 0; channel < channels; ++channel) {
    const int32_t bound = bounds[bounds.size() == 1 ? 0 : channel];
    const Scaling scaling = source.At(channel);
    if (!ScalingFits(bound, scaling, source.has_residual)) {
      return Error(Code::kCorrupt, "op %s: channel %zu: accumulator %d times %d * 2^-%d does not fit 32 bits",
                   op.op.name, channel, bound, scaling.multiplier, 31 + scaling.shift);
    }
  }
  return {};
}

}  // namespace aq
