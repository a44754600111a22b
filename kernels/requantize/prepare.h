// SPDX-License-Identifier: Apache-2.0
// From the file's per-channel numbers (numerics.h, Scaling) to the arrays kernels read (requantize.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/requantize/requantize.h"

namespace aq {

struct RequantizeSource {
  std::span<const int32_t> multiplier, offset, ratio, residual_ratio;  // 1 or n entries (or empty where unused)
  std::span<const int8_t> shift;
  Rounding rounding;
  std::span<const uint16_t> thresholds;  // empty or [n][3]
  int32_t zero_point_a = 0;              // input 0 of an addition
  int32_t residual_zero_point = 0;       // input 1 of an addition, or the residual
  bool has_residual = false;             // convolution with a second input
  bool is_addition = false;
  bool want_acc_thresholds = false;  // 2-bit convolution outputs without residual
  // [n] or 1: bound on |accumulator| per channel, the range searched for acc_thresholds.
  std::span<const int32_t> acc_bound;

  Scaling At(size_t channel) const;  // numerics.h form, for references and tests
};

// Bytes of the arrays for n channels; `memory` is 64-byte aligned and at least that large.
size_t RequantizeBytes(const RequantizeSource& source, size_t n);
Requantize PrepareRequantize(const RequantizeSource& source, size_t n, void* memory);

}  // namespace aq
