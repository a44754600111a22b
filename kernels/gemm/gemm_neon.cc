// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_neon.inc and decode_neon.inc as functions.
#include "kernels/gemm/decode_panel.h"
#include "kernels/gemm/gemm_tile.h"
#include "kernels/gemm/pack_pairs.h"
#include "kernels/isa/neon_columns.h"

namespace aq {
#include "kernels/gemm/decode_neon.inc"
#include "kernels/gemm/gemm_neon.inc"
#if defined(__aarch64__)
AQ_PACK_PAIRS(neon, kNeon, NeonPairs)
#endif
}  // namespace aq
