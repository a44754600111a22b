// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_neondot.inc and decode_neondot.inc as functions.
#include "kernels/gemm/decode_panel.h"
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/neondot.h"

namespace aq {
#include "kernels/gemm/decode_neondot.inc"
#include "kernels/gemm/gemm_neondot.inc"
}  // namespace aq
