// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_neondot.inc as functions.
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/neondot.h"

namespace aq {
#include "kernels/gemm/gemm_neondot.inc"
}  // namespace aq
