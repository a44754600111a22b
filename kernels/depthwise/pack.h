// SPDX-License-Identifier: Apache-2.0
// Weights and bias of a depthwise layer for one kernel; zero points are subtracted here.
#pragma once

#include "kernels/depthwise/depthwise.h"
#include "kernels/gemm/pack.h"

namespace aq {

// Whether no sum over some taps of products with activations in [0, max_code] can leave int16, for these very weights;
// and whether they fit int8. source.n channels, k = 1.
bool FitsInt16Sums(const WeightSource& source, int32_t max_code);

size_t DepthwiseWeightBytes(const DepthwiseKernel& kernel, size_t taps, size_t channels);
// int16 [tap slots][c_padded], 0 beyond. For kernels that sum in int16, per block of channels: int16 [block] that the
// sums start from, then int8 [tap slots / 2][2 * block], in the kernel's order. `bias` [c_padded] is reduced by what
// the sums start from: to 0 for all channels whose accumulators fit int16.
void PackDepthwise(const WeightSource& source, int32_t max_code, const DepthwiseKernel& kernel, int32_t* bias,
                   void* packed);

}  // namespace aq
