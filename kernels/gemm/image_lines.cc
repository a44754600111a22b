// SPDX-License-Identifier: Apache-2.0
// See image_lines.h. Baseline code: every pixel is copied about once.
#include "kernels/gemm/image_lines.h"

#include <algorithm>
#include <cstring>

#include "kernels/gemm/window.h"

namespace aq {
namespace {

constexpr size_t kMostBlock = 64;  // activations of a tile's block

size_t Reach(int kernel, int dilation) { return static_cast<size_t>(dilation * (kernel - 1) + 1); }
size_t PixelsOfLine(const ConvGeometry& g) {
  return static_cast<size_t>((g.out_w - 1) * g.stride_w) + Reach(g.kernel_w, 1);
}

uint8_t* Copy(const uint8_t* from, size_t count, bool widens, uint8_t* to) {
  if (!widens) {
    std::memcpy(to, from, count);
    return to + count;
  }
  for (size_t i = 0; i < count; ++i) {
    const uint16_t wide = from[i];
    std::memcpy(to + i * sizeof(wide), &wide, sizeof(wide));
  }
  return to + count * sizeof(uint16_t);
}

}  // namespace

size_t LinesOf(const ConvGeometry& g, bool is_code_0_zero) {
  const bool fills_blocks = static_cast<size_t>(g.kernel_w * g.in_c) % kMostBlock == 0;
  const bool is_run = g.groups == 1 && g.dilation_w == 1;
  return is_run && (fills_blocks || is_code_0_zero) ? static_cast<size_t>(g.kernel_h) : 1;
}

void CopyLine(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, int y, size_t pixels, bool widens,
              uint8_t* to) {
  const size_t channels = static_cast<size_t>(g.in_c), in_w = static_cast<size_t>(g.in_w);
  const size_t left = static_cast<size_t>(g.pad_left);
  const bool is_inside = y >= 0 && y < g.in_h;
  const size_t begin = is_inside ? std::min(left, pixels) : pixels;
  const size_t end = is_inside ? std::max(begin, std::min(pixels, left + in_w)) : pixels;
  for (size_t x = 0; x < begin; ++x) to = Copy(pad_row, channels, widens, to);
  if (end > begin) to = Copy(input + static_cast<size_t>(y) * in_w * channels, (end - begin) * channels, widens, to);
  for (size_t x = end; x < pixels; ++x) to = Copy(pad_row, channels, widens, to);
}

ImageLines::ImageLines(const ConvGeometry& g, size_t block_rows, bool widens_activations) : widens(widens_activations) {
  const size_t out_w = static_cast<size_t>(g.out_w);
  const size_t out_lines = std::min(static_cast<size_t>(g.out_h), (block_rows + out_w - 2) / out_w + 1);
  lines = (out_lines - 1) * static_cast<size_t>(g.stride_h) + Reach(g.kernel_h, g.dilation_h);
  line_bytes = PixelsOfLine(g) * static_cast<size_t>(g.in_c) * (widens ? sizeof(uint16_t) : 1);
}

size_t ImageLines::bytes() const { return lines * line_bytes + kMostBlock * (widens ? sizeof(uint16_t) : 1); }

void FindRuns(const ConvGeometry& g, const ImageLines& lines, const uint8_t* input, const uint8_t* pad_row,
              size_t m_begin, size_t count, size_t mr, uint8_t* buffer, const uint8_t** rows) {
  const size_t out_w = static_cast<size_t>(g.out_w), taps = static_cast<size_t>(g.kernel_h);
  const int first = static_cast<int>(m_begin / out_w), last = static_cast<int>((m_begin + count - 1) / out_w);
  const int y0 = first * g.stride_h - g.pad_top;
  const int needed = (last - first) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1;
  for (int i = 0; i < needed; ++i) {
    CopyLine(g, input, pad_row, y0 + i, PixelsOfLine(g), lines.widens,
             buffer + static_cast<size_t>(i) * lines.line_bytes);
  }
  const size_t step = static_cast<size_t>(g.stride_w * g.in_c) * (lines.widens ? sizeof(uint16_t) : 1);
  const size_t tap_step = static_cast<size_t>(g.dilation_h) * lines.line_bytes;
  TileRows tile_rows{rows, taps, mr};
  size_t x = m_begin % out_w, line = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t** row = tile_rows.Next();
    const uint8_t* run = buffer + line * lines.line_bytes + x * step;
    for (size_t tap = 0; tap < taps; ++tap, row += mr, run += tap_step) *row = run;
    if (++x == out_w) {
      x = 0;
      line += static_cast<size_t>(g.stride_h);
    }
  }
}

}  // namespace aq
