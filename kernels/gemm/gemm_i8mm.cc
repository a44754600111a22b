// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_i8mm.inc as functions.
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/i8mm.h"

namespace aq {
#include "kernels/gemm/gemm_i8mm.inc"
}  // namespace aq
