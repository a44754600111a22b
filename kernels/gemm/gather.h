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
// rows[i][row_bytes] = channels [first_c, first_c + in_c / groups) of all taps of output m_begin + i, then `zero`.
void GatherRows(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, size_t m_begin, size_t count,
                size_t first_c, uint8_t zero, size_t row_bytes, uint8_t* rows);
// Bytes row[0 ... count) to 16 bits, in place.
void WidenRow(uint8_t* row, size_t count);
int32_t SumOfBytes(const uint8_t* p, size_t count);

}  // namespace aq
