// SPDX-License-Identifier: Apache-2.0
// Addition and multiplication of two codes, one at a time.
#pragma once

#include "kernels/requantize/reference.h"

namespace aq::reference {

// b null: the rescaling of a concatenated input.
inline int32_t Add(uint8_t a, const uint8_t* b, const RequantizeSource& source, size_t channel) {
  const int32_t second = b != nullptr ? *b - source.residual_zero_point : 0;
  return QuantizeValue(AddOne(a - source.zero_point_a, second, source.At(channel)), source, channel);
}

inline int32_t Multiply(uint8_t a, uint8_t b, int32_t zero_a, int32_t zero_b, const RequantizeSource& source,
                        size_t channel) {
  return Requantize((a - zero_a) * (b - zero_b), nullptr, source, channel);
}

}  // namespace aq::reference
