// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_i8mm.inc and decode_i8mm.inc as functions.
#include "kernels/gemm/decode_panel.h"
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/i8mm.h"

namespace aq {
#include "kernels/gemm/decode_i8mm.inc"
#include "kernels/gemm/gemm_i8mm.inc"
}  // namespace aq
