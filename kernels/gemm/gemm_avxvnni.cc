// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_avxvnni.inc and decode_avxvnni.inc as functions.
#include "kernels/gemm/decode_panel.h"
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/avxvnni.h"

namespace aq {
#include "kernels/gemm/decode_avxvnni.inc"
#include "kernels/gemm/gemm_avxvnni.inc"
}  // namespace aq
