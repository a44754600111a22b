// SPDX-License-Identifier: Apache-2.0
// Activations for tiles of 16-bit operands: the convolution driver widens the lines of the image that a block of output
// pixels needs, padding included. A line of a window is then one run of memory, so nothing is copied per window.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"

namespace aq {

// Runs of taps that lie side by side: the lines of a kernel; or 1 where that does not work: groups, dilation, and odd
// runs unless code 0 is a weight of 0, since a tile reads one activation more than such a run has.
size_t LinesOf(const ConvGeometry& geometry, bool is_code_0_zero);

struct WideLines {
  WideLines(const ConvGeometry& geometry, size_t block_rows);
  size_t bytes() const { return lines * line_bytes; }

  size_t lines;  // at most, for a block
  size_t line_bytes;
};

// rows[i / mr][line of the kernel][i % mr] = the run of output pixel m_begin + i, in lines written to `buffer`
// (lines.bytes()).
void FindWideRuns(const ConvGeometry& geometry, const WideLines& lines, const uint8_t* input, const uint8_t* pad_row,
                  size_t m_begin, size_t count, size_t mr, uint8_t* buffer, const uint8_t** rows);

}  // namespace aq
