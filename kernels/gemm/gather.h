// SPDX-License-Identifier: Apache-2.0
// Finds the activations of output pixels for the convolution driver: pointers to taps, or copies where k is padded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"

namespace aq {

// rows[i / mr][tap][i % mr] = the tap's pixel of output m_begin + i, or pad_row outside the image.
void FindTaps(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, size_t m_begin, size_t count,
              size_t mr, const uint8_t** rows);
struct Gather {
  const ConvGeometry& geometry;
  const uint8_t* input;
  const uint8_t* pad_row;  // both readable kReadSlack bytes beyond their end
  size_t first_c = 0;      // first channel of the group
  uint8_t zero = 0;
  size_t k_padded = 0;
  bool widens = false;  // to 16 bits
};
// Bytes between gathered rows, and how many may be written beyond the last.
size_t GatheredRowBytes(const Gather& gather);
inline constexpr size_t kGatherSlack = 64;
// rows[i][k_padded] = channels [first_c, first_c + in_c / groups) of all taps of output m_begin + i, then `zero`.
void GatherRows(const Gather& gather, size_t m_begin, size_t count, uint8_t* rows);
int32_t SumOfBytes(const uint8_t* p, size_t count);

}  // namespace aq
