// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_avxvnni.inc as functions.
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/avxvnni.h"

namespace aq {
#include "kernels/gemm/gemm_avxvnni.inc"
}  // namespace aq
