// SPDX-License-Identifier: Apache-2.0
// What every code of a layer's weights means, as a table: for the passes over all weights at load.
#pragma once

#include <cstdint>

#include "kernels/numerics.h"

namespace aq {

struct WeightValues {
  int8_t of_code[256] = {};

  // codebook [2^bits], null = two's complement.
  WeightValues(int bits, const int8_t* codebook) {
    for (int code = 0; code <= MaxLevel(bits); ++code) {
      of_code[code] = DecodeWeight(static_cast<uint8_t>(code), bits, codebook);
    }
  }
};

}  // namespace aq
