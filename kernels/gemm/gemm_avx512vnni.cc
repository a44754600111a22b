// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_avx512vnni.inc and decode_avx512vnni.inc as functions.
#include "kernels/gemm/decode_panel.h"
#include "kernels/gemm/gemm_tile.h"
#include "kernels/isa/avx512vnni.h"

namespace aq {
#include "kernels/gemm/decode_avx512vnni.inc"
#include "kernels/gemm/gemm_avx512vnni.inc"
}  // namespace aq
