// SPDX-License-Identifier: Apache-2.0
#include "runtime/ops/quantized.h"

#include "runtime/validate.h"

namespace aq {

RequantizeSource SourceOf(const OpContext& op, uint32_t index, const Tensor& out) {
  const schema::Requantize& table = *op.op.table->requantize()->Get(index);
  RequantizeSource source;
  source.multiplier = Elements(table.multiplier());
  source.shift = Elements(table.shift());
  source.offset = Elements(table.offset());
  source.ratio = Elements(table.ratio());
  source.residual_ratio = Elements(table.residual_ratio());
  source.rounding = out.rounding;
  source.thresholds = out.thresholds;
  return source;
}

Requantize TakeRequantize(const RequantizeSource& source, size_t n, ConstantMemory* memory) {
  uint8_t* arrays = memory->Take<uint8_t>(RequantizeBytes(source, n));
  return memory->is_measuring() ? Requantize() : PrepareRequantize(source, n, arrays);
}

}  // namespace aq
