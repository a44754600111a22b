// SPDX-License-Identifier: Apache-2.0
// One accumulator -> one code straight from the file's numbers (numerics.h); the expected value of every kernel test.
#pragma once

#include "kernels/requantize/prepare.h"

namespace aq::reference {

inline int32_t QuantizeValue(int64_t v, const RequantizeSource& source, size_t channel) {
  const uint16_t* thresholds = source.thresholds.empty() ? nullptr : &source.thresholds[channel * kThresholds];
  return QuantizeOne(v, source.rounding, thresholds);
}

// residual: null or the code of the second input.
inline int32_t Requantize(int32_t acc, const uint8_t* residual, const RequantizeSource& source, size_t channel) {
  const Scaling s = source.At(channel);
  if (residual == nullptr) return QuantizeValue(ScaleOne(acc, s), source, channel);
  return QuantizeValue(ScaleWithResidual(acc, *residual - source.residual_zero_point, s), source, channel);
}

}  // namespace aq::reference
