// SPDX-License-Identifier: Apache-2.0
// See gather.h. Baseline code: no instruction set, no row is long.
#include "kernels/gemm/gather.h"

#include <algorithm>
#include <cassert>
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

// Copies whole blocks: reads and writes up to kCopy - 1 bytes more than `count`. Rows are written in order, so what
// lies beyond is overwritten later. Returns out + count.
constexpr size_t kCopy = 32;
static_assert(kCopy <= kReadSlack && kCopy <= kGatherSlack);

uint8_t* CopyRun(const uint8_t* in, size_t count, uint8_t* out) {
  for (size_t i = 0; i < count; i += kCopy) std::memcpy(out + i, in + i, kCopy);
  return out + count;
}

// Block by block: no block is overwritten before it has been read, as a write reaches the next block's bytes only when
// there is none.
void WidenRow(const uint8_t* bytes, size_t count, uint8_t* out) {
  constexpr size_t kWiden = 16;
  static_assert(2 * kWiden <= kGatherSlack);
  for (size_t i = 0; i < count; i += kWiden) {
    uint8_t block[kWiden];
    uint16_t wide[kWiden];
    std::memcpy(block, bytes + i, sizeof(block));
    for (size_t j = 0; j < kWiden; ++j) wide[j] = block[j];
    std::memcpy(out + 2 * i, wide, sizeof(wide));
  }
}

bool IsWithin(int value, int end) { return static_cast<unsigned>(value) < static_cast<unsigned>(end); }

}  // namespace

// Tile by tile. Where no window of a tile reaches beyond the image, its taps are as far from its corner as everyone's.
void FindTaps(const ConvGeometry& g, const uint8_t* input, const uint8_t* pad_row, size_t m_begin, size_t count,
              size_t mr, const uint8_t** rows) {
  constexpr size_t kMaxRows = 16;
  assert(mr <= kMaxRows);
  const ptrdiff_t pixel = g.in_c, line = g.in_w * pixel;
  const int reach_y = g.dilation_h * (g.kernel_h - 1) + 1, reach_x = g.dilation_w * (g.kernel_w - 1) + 1;
  int ys[kMaxRows] = {}, xs[kMaxRows] = {};
  ptrdiff_t corners[kMaxRows] = {};
  bool are_inside = true;
  ForEachPixel(g, m_begin, count, [&](size_t i, int y0, int x0) {
    const size_t lane = i % mr, lanes = lane + 1;
    ys[lane] = y0;
    xs[lane] = x0;
    corners[lane] = y0 * line + x0 * pixel;
    are_inside = (lane == 0 || are_inside) && y0 >= 0 && y0 + reach_y <= g.in_h && x0 >= 0 && x0 + reach_x <= g.in_w;
    if (lanes < mr && i + 1 < count) return;
    for (int ky = 0; ky < g.kernel_h; ++ky) {
      for (int kx = 0; kx < g.kernel_w; ++kx, rows += mr) {
        const int dy = ky * g.dilation_h, dx = kx * g.dilation_w;
        const ptrdiff_t offset = dy * line + dx * pixel;
        if (are_inside) {
          for (size_t l = 0; l < lanes; ++l) rows[l] = input + (corners[l] + offset);
        } else {
          for (size_t l = 0; l < lanes; ++l) {
            const bool is_pixel = IsWithin(ys[l] + dy, g.in_h) && IsWithin(xs[l] + dx, g.in_w);
            rows[l] = is_pixel ? input + (corners[l] + offset) : pad_row;
          }
        }
      }
    }
  });
}

size_t GatheredRowBytes(const Gather& gather) { return gather.k_padded * (gather.widens ? 2 : 1); }

void GatherRows(const Gather& gather, size_t m_begin, size_t count, uint8_t* rows) {
  const ConvGeometry& g = gather.geometry;
  const ptrdiff_t line_bytes = ptrdiff_t{g.in_w} * g.in_c;
  const size_t k = static_cast<size_t>(g.in_c / g.groups), row_bytes = GatheredRowBytes(gather);
  const bool is_run = g.groups == 1 && g.dilation_w == 1;  // the taps of a window's row lie side by side
  const uint8_t* pad = gather.pad_row + gather.first_c;
  ForEachPixel(g, m_begin, count, [&](size_t i, int y0, int x0) {
    uint8_t* const row = rows + i * row_bytes;
    // Bytes to be widened wait in the upper half of their row.
    uint8_t* const bytes = row + row_bytes - gather.k_padded;
    uint8_t* out = bytes;
    const bool is_inside = is_run && x0 >= 0 && x0 + g.kernel_w <= g.in_w;
    for (int ky = 0, y = y0; ky < g.kernel_h; ++ky, y += g.dilation_h) {
      const ptrdiff_t line = y * line_bytes + static_cast<ptrdiff_t>(gather.first_c);
      const bool is_row_inside = IsWithin(y, g.in_h);
      if (is_inside && is_row_inside) {
        out = CopyRun(gather.input + line + ptrdiff_t{x0} * g.in_c, static_cast<size_t>(g.kernel_w) * k, out);
        continue;
      }
      for (int kx = 0, x = x0; kx < g.kernel_w; ++kx, x += g.dilation_w) {
        const bool is_pixel = is_row_inside && IsWithin(x, g.in_w);
        out = CopyRun(is_pixel ? gather.input + line + ptrdiff_t{x} * g.in_c : pad, k, out);
      }
    }
    while (out < bytes + gather.k_padded) *out++ = gather.zero;
    if (gather.widens) WidenRow(bytes, gather.k_padded, row);
  });
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
