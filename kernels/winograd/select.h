// SPDX-License-Identifier: Apache-2.0
// Whether and how a layer is computed by Winograd's method.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/winograd/prepare.h"
#include "kernels/winograd/winograd.h"

namespace aq {

struct WinogradChoice {
  const WinogradTransforms* transforms = nullptr;  // null: the layer does not qualify
  GemmChoice gemm;                                 // of the products; with a decoder
  WinogradBounds bounds;
  size_t widen_steps[kMaxWinogradProducts] = {};  // of that tile
  size_t cost = 0;                                // in the unit of GemmCost (gemm/gemm.h)
};

// The cheapest form for a layer without groups whose accumulators stay within acc_bound. Needs weights of at most 4
// bits, a 3x3 kernel, stride and dilation 1, and channels in whole vectors.
WinogradChoice SelectWinograd(const ConvGeometry& g, const WeightSource& source, int32_t max_code, int32_t acc_bound,
                              IsaSet isas);

}  // namespace aq
