// SPDX-License-Identifier: Apache-2.0
// From a packed panel of 2-, 4- or 8-bit codes to the values a tile multiplies: codebook looked up, zero points
// subtracted. The driver runs it once per panel and block of rows, so unpacking costs next to nothing and asymmetric
// weights cost nothing at all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "platforms/cpu.h"

namespace aq {

struct PanelSource {
  const uint8_t* packed = nullptr;
  size_t blocks = 0;                    // packed steps of step_bytes, each 8 / bits steps of the tile
  size_t step_bytes = 0;                // nr * kr
  const int8_t* codebook = nullptr;     // [16]
  const int8_t* zero_points = nullptr;  // [step_bytes], each column's repeated kr times
};
// Writes blocks * (8 / bits) * step_bytes values.
using PanelDecodeFn = void (*)(const PanelSource& source, uint8_t* values);

// One row of the table decode.inc.
struct PanelDecoder {
  const char* name;  // "avx2_w4_to_8"
  Isa isa;
  int bits;         // of the codes
  int weight_bits;  // of the values: a GemmKernel's; 4: pairs of codes, for look-up tiles
  PanelDecodeFn run;
};

struct PanelDecoders {
  const PanelDecoder* begin_;
  const PanelDecoder* end_;
  const PanelDecoder* begin() const { return begin_; }
  const PanelDecoder* end() const { return end_; }
};
PanelDecoders AllDecoders();

}  // namespace aq
