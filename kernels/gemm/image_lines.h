// SPDX-License-Identifier: Apache-2.0
// Activations where a tap's channels do not fill a tile's blocks, or a tile wants 16 bits: the convolution driver
// copies the lines of the image that a block of output pixels needs, padding included, widened if need be. A line of a
// window is then one run of memory, so nothing is copied per window.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"

namespace aq {

// Runs of taps that lie side by side: the lines of a kernel; or 1 where that does not work: groups, dilation, and runs
// that do not fill any tile's blocks unless code 0 is a weight of 0, since activations beyond a run are read.
size_t LinesOf(const ConvGeometry& geometry, bool is_code_0_zero);

// Pixels [-pad_left, pixels - pad_left) of line y as convolutions see them, `pad_row` outside the image; widened to 16
// bits or as they are.
void CopyLine(const ConvGeometry& geometry, const uint8_t* input, const uint8_t* pad_row, int y, size_t pixels,
              bool widens, uint8_t* to);

struct ImageLines {
  ImageLines(const ConvGeometry& geometry, size_t block_rows, bool widens);
  size_t bytes() const;

  bool widens;   // activations to 16 bits
  size_t lines;  // at most, for a block
  size_t line_bytes;
};

// rows[i / mr][line of the kernel][i % mr] = the run of output pixel m_begin + i, in lines written to `buffer`
// (lines.bytes()).
void FindRuns(const ConvGeometry& geometry, const ImageLines& lines, const uint8_t* input, const uint8_t* pad_row,
              size_t m_begin, size_t count, size_t mr, uint8_t* buffer, const uint8_t** rows);

}  // namespace aq
