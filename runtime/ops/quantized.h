// SPDX-License-Identifier: Apache-2.0
// What ops with requantised outputs share: from the file's tables and the output tensor to the kernels' arrays.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/requantize/prepare.h"
#include "runtime/op.h"

namespace aq {

// Requantisation table `index` for a result stored as `out`. Additions and residuals set the rest themselves.
RequantizeSource SourceOf(const OpContext& op, uint32_t index, const Tensor& out);
// PrepareRequantize in the session's memory; a default value while measuring.
Requantize TakeRequantize(const RequantizeSource& source, size_t n, ConstantMemory* memory);

}  // namespace aq
