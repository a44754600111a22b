// SPDX-License-Identifier: Apache-2.0
// Weights of a depthwise layer for one kernel; zero points are subtracted here.
#pragma once

#include "kernels/depthwise/depthwise.h"
#include "kernels/gemm/pack.h"

namespace aq {

// Whether no sum over some taps of products with activations in [0, max_code] can leave int16, for these very weights;
// and whether they fit int8. source.n channels, k = 1.
bool FitsInt16Sums(const WeightSource& source, int32_t max_code);
size_t DepthwiseWeightBytes(const DepthwiseKernel& kernel, size_t taps, size_t channels);
// int16 [taps][c_padded], or for kernels that sum in int16 int8 [pairs of taps][c_padded][2]; 0 beyond.
void PackDepthwise(const WeightSource& source, const DepthwiseKernel& kernel, void* packed);

}  // namespace aq
