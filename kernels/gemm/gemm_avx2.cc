// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_avx2.inc and decode_avx2.inc as functions.
#include "kernels/gemm/decode_panel.h"
#include "kernels/gemm/gemm_tile.h"
#include "kernels/gemm/pack_pairs.h"
#include "kernels/isa/avx2.h"

namespace aq {
#include "kernels/gemm/decode_avx2.inc"
#include "kernels/gemm/gemm_avx2.inc"
AQ_PACK_PAIRS(avx2, kAvx2, Avx2Pairs)
}  // namespace aq
