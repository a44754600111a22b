// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_scalar.inc as functions.
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/scalar.h"

namespace aq {
#include "kernels/gemm/gemm_scalar.inc"
}  // namespace aq
