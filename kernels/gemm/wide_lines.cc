// SPDX-License-Identifier: Apache-2.0
// See wide_lines.h. Baseline code: every pixel is widened about once.
#include "kernels/gemm/wide_lines.h"

#include <algorithm>

#include "kernels/gemm/gather.h"

namespace aq {
namespace {

size_t Reach(int kernel, int dilation) { return static_cast<size_t>(dilation * (kernel - 1) + 1); }

uint16_t* Widen(const uint8_t* from, size_t count, uint16_t* to) {
  for (size_t i = 0; i < count; ++i) to[i] = from[i];
  return to + count;
}

// Pixels -pad_left ... of line y, enough for the last window, then one more activation.
void WidenLine(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, int y, uint16_t* to) {
  const size_t channels = static_cast<size_t>(g.in_c), in_w = static_cast<size_t>(g.in_w);
  const size_t left = static_cast<size_t>(g.pad_left);
  const size_t pixels = static_cast<size_t>((g.out_w - 1) * g.stride_w) + Reach(g.kernel_w, 1);
  const bool is_inside = y >= 0 && y < g.in_h;
  const size_t begin = is_inside ? std::min(left, pixels) : pixels, end = std::min(pixels, left + in_w);
  for (size_t x = 0; x < begin; ++x) to = Widen(pad_row, channels, to);
  if (is_inside && end > begin) {
    to = Widen(input + static_cast<size_t>(y) * in_w * channels, (end - begin) * channels, to);
    for (size_t x = end; x < pixels; ++x) to = Widen(pad_row, channels, to);
  }
  *to = 0;
}

}  // namespace

size_t LinesOf(const ConvGeometry& g, bool is_code_0_zero) {
  const bool is_even = g.kernel_w * g.in_c % 2 == 0;
  return g.groups == 1 && g.dilation_w == 1 && (is_even || is_code_0_zero) ? static_cast<size_t>(g.kernel_h) : 1;
}

WideLines::WideLines(const ConvGeometry& g, size_t block_rows) {
  const size_t out_w = static_cast<size_t>(g.out_w);
  const size_t out_lines = std::min(static_cast<size_t>(g.out_h), (block_rows + out_w - 2) / out_w + 1);
  lines = (out_lines - 1) * static_cast<size_t>(g.stride_h) + Reach(g.kernel_h, g.dilation_h);
  const size_t pixels = static_cast<size_t>((g.out_w - 1) * g.stride_w) + Reach(g.kernel_w, 1);
  line_bytes = (pixels * static_cast<size_t>(g.in_c) + 1) * sizeof(uint16_t);
}

void FindWideRuns(const ConvGeometry& g, const WideLines& lines, const uint8_t* input, const uint8_t* pad_row,
                  size_t m_begin, size_t count, size_t mr, uint8_t* buffer, const uint8_t** rows) {
  const size_t out_w = static_cast<size_t>(g.out_w), taps = static_cast<size_t>(g.kernel_h);
  const int first = static_cast<int>(m_begin / out_w), last = static_cast<int>((m_begin + count - 1) / out_w);
  const int y0 = first * g.stride_h - g.pad_top;
  const int needed = (last - first) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1;
  for (int i = 0; i < needed; ++i) {
    // Cast: lines are an even number of bytes apart in memory aligned to 64.
    WidenLine(g, input, pad_row, y0 + i,
              reinterpret_cast<uint16_t*>(buffer + static_cast<size_t>(i) * lines.line_bytes));
  }
  const size_t step = static_cast<size_t>(g.stride_w * g.in_c) * sizeof(uint16_t);
  const size_t tap_step = static_cast<size_t>(g.dilation_h) * lines.line_bytes;
  size_t x = m_begin % out_w, line = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t** row = rows + i / mr * mr * taps + i % mr;
    const uint8_t* run = buffer + line * lines.line_bytes + x * step;
    for (size_t tap = 0; tap < taps; ++tap, row += mr, run += tap_step) *row = run;
    if (++x == out_w) {
      x = 0;
      line += static_cast<size_t>(g.stride_h);
    }
  }
}

}  // namespace aq
