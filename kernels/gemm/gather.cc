// SPDX-License-Identifier: Apache-2.0
// See gather.h. Baseline code: no instruction set, no row is long.
#include "kernels/gemm/gather.h"

#include <algorithm>
#include <cstring>

#include "kernels/gemm/window.h"

namespace aq {
namespace {

// f(i, y, x): top left corner of the window of output pixel m_begin + i, in input coordinates.
template <class F>
void ForEachPixel(const ConvGeometry& g, size_t m_begin, size_t count, F&& f) {
  const size_t out_w = static_cast<size_t>(g.out_w);
  int out_y = static_cast<int>(m_begin / out_w), out_x = static_cast<int>(m_begin % out_w);
  for (size_t i = 0; i < count; ++i) {
    f(i, out_y * g.stride_h - g.pad_top, out_x * g.stride_w - g.pad_left);
    if (++out_x == g.out_w) {
      out_x = 0;
      ++out_y;
    }
  }
}

bool IsWithin(int value, int end) { return static_cast<unsigned>(value) < static_cast<unsigned>(end); }

}  // namespace

void FindTaps(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, size_t m_begin, size_t count,
              size_t mr, const uint8_t** rows) {
  const ptrdiff_t row_bytes = ptrdiff_t{g.in_w} * g.in_c;
  const size_t taps = Taps(g);
  ForEachPixel(g, m_begin, count, [&](size_t i, int y0, int x0) {
    const uint8_t** row = rows + i / mr * mr * taps + i % mr;
    for (int ky = 0, y = y0; ky < g.kernel_h; ++ky, y += g.dilation_h) {
      const ptrdiff_t line = y * row_bytes;
      const bool is_row_inside = IsWithin(y, g.in_h);
      for (int kx = 0, x = x0; kx < g.kernel_w; ++kx, x += g.dilation_w, row += mr) {
        *row = is_row_inside && IsWithin(x, g.in_w) ? input + line + ptrdiff_t{x} * g.in_c : pad_row;
      }
    }
  });
}

void GatherRows(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, size_t m_begin, size_t count,
                size_t first_c, uint8_t zero, size_t row_bytes, uint8_t* rows) {
  const ptrdiff_t line_bytes = ptrdiff_t{g.in_w} * g.in_c;
  const size_t k = static_cast<size_t>(g.in_c / g.groups), used = Taps(g) * k;
  const bool is_run = g.groups == 1 && g.dilation_w == 1;  // the taps of a window's row lie side by side
  ForEachPixel(g, m_begin, count, [&](size_t i, int y0, int x0) {
    uint8_t* out = rows + i * row_bytes;
    const bool is_inside = x0 >= 0 && x0 + g.kernel_w <= g.in_w;
    for (int ky = 0, y = y0; ky < g.kernel_h; ++ky, y += g.dilation_h) {
      const ptrdiff_t line = y * line_bytes + static_cast<ptrdiff_t>(first_c);
      const bool is_row_inside = IsWithin(y, g.in_h);
      if (is_run && is_inside && is_row_inside) {
        const size_t run = static_cast<size_t>(g.kernel_w) * k;
        std::memcpy(out, input + line + ptrdiff_t{x0} * g.in_c, run);
        out += run;
        continue;
      }
      for (int kx = 0, x = x0; kx < g.kernel_w; ++kx, x += g.dilation_w, out += k) {
        const bool is_pixel = is_row_inside && IsWithin(x, g.in_w);
        std::memcpy(out, is_pixel ? input + line + ptrdiff_t{x} * g.in_c : pad_row + first_c, k);
      }
    }
    std::memset(out, zero, row_bytes - used);
  });
}

void WidenRow(uint8_t* row, size_t count) {
  // From the end, through a buffer: what is written lies behind what is still to be read.
  constexpr size_t kRun = 32;
  uint16_t wide[kRun];
  const auto widen = [&](size_t begin, size_t size) {
    for (size_t i = 0; i < size; ++i) wide[i] = row[begin + i];
    std::memcpy(row + 2 * begin, wide, 2 * size);
  };
  size_t begin = count / kRun * kRun;
  widen(begin, count - begin);
  while (begin > 0) {
    begin -= kRun;
    widen(begin, kRun);
  }
}

int32_t SumOfBytes(const uint8_t* p, size_t count) {
  constexpr uint64_t kEven = 0x00FF00FF00FF00FF;
  constexpr size_t kMost = 128 * 8;  // 128 * 2 * 255 fits the 16-bit lanes
  int32_t sum = 0;
  while (count >= 8) {
    const size_t run = std::min(count, kMost) / 8 * 8;
    uint64_t lanes = 0;
    for (size_t i = 0; i < run; i += 8) {
      uint64_t bytes;
      std::memcpy(&bytes, p + i, 8);
      lanes += (bytes & kEven) + (bytes >> 8 & kEven);
    }
    for (; lanes != 0; lanes >>= 16) sum += static_cast<int32_t>(lanes & 0xFFFF);
    p += run;
    count -= run;
  }
  for (size_t i = 0; i < count; ++i) sum += p[i];
  return sum;
}

}  // namespace aq
