// SPDX-License-Identifier: Apache-2.0
// The rows of gemm_scalar.inc as functions.
#include "kernels/gemm/gemm_tile.h"
#include "kernels/gemm/pack_pairs.h"
#include "kernels/isa/scalar.h"

namespace aq {
#include "kernels/gemm/gemm_scalar.inc"
AQ_PACK_PAIRS(scalar, kScalar, ScalarPairs)
}  // namespace aq
