// SPDX-License-Identifier: Apache-2.0
// Requantisation of sums that fit int16, in 16-bit multiplications. Prepared once per layer at load, and only where it
// is proven to give the same codes as numerics.h for every sum that can occur.
//
// sum * multiplier / 2^16 = sum * high + (sum * low) / 2^16 with multiplier = high * 2^16 + low, so its floor takes one
// high half of a 16-bit product and one addition of two products. A second floor, by the shift, ends where one floor
// of the whole would.
#pragma once

#include "kernels/depthwise/pack.h"

namespace aq {

// Bytes for any form; 0 for kernels that do not sum in int16.
size_t SumRequantizeBytes(const DepthwiseKernel& kernel, size_t channels);
// `bias` as PackDepthwise got it. form = kNone where `rq` is of another kind (32-bit outputs, residuals, thresholds on
// values), or nothing was proven.
SumRequantize PrepareSumRequantize(const WeightSource& source, int32_t max_code, const int32_t* bias,
                                   const Requantize& rq, const DepthwiseKernel& kernel, void* memory);

}  // namespace aq
