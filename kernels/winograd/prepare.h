// SPDX-License-Identifier: Apache-2.0
// What a session works out once per layer before it may use Winograd: the proof that transformed operands fit bytes,
// how long products may be summed in 16 bits, and the biases. Works for any tile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/pack.h"
#include "kernels/winograd/forms.h"

namespace aq {

struct WinogradBounds {
  bool fits = false;                           // transformed operands in int8, activations not negative
  uint8_t offsets[kMaxWinogradProducts] = {};  // added to transformed activations
  // Per product: the largest transformed activation with its offset and the largest magnitude of a transformed weight.
  int32_t max_codes[kMaxWinogradProducts] = {}, max_weights[kMaxWinogradProducts] = {};
  // Steps of four input channels that may be summed in int16 (CountWidenSteps in gemm/pack.h), per product; 0: none.
  size_t widen_steps[kMaxWinogradProducts] = {};
};
// Reads all weights of a layer without groups; only as far as necessary when they do not fit.
WinogradBounds FindWinogradBounds(const WinogradForm& form, const WeightSource& source, int32_t max_code);

// [out * out][columns]: divisor * bias, less what offsets and the kernel's activation flip contribute to each pixel of
// a window. `bias` [source.n]. With the accumulators' bounds (WinogradSumsFit) nothing overflows.
void WinogradBias(const WinogradForm& form, const WeightSource& source, const uint8_t* offsets, int32_t flip,
                  const int32_t* bias, size_t columns, int32_t* packed);
// Whether divisor times the accumulator stays in int32.
bool WinogradSumsFit(const WinogradForm& form, int32_t acc_bound);

}  // namespace aq
