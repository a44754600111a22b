// SPDX-License-Identifier: Apache-2.0
// Walks the taps of one output pixel: shared by the convolution, depthwise and pooling drivers. Baseline code only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"

namespace aq {

inline size_t Taps(const ConvGeometry& g) { return static_cast<size_t>(g.kernel_h) * static_cast<size_t>(g.kernel_w); }

// f(tap, pixel) for every tap of output `pixel` in order, with the tap's input pixel, or null outside the image.
template <class F>
inline void ForEachTap(const ConvGeometry& g, const uint8_t* input, size_t pixel, F&& f) {
  const int out_y = static_cast<int>(pixel / static_cast<size_t>(g.out_w));
  const int out_x = static_cast<int>(pixel % static_cast<size_t>(g.out_w));
  const ptrdiff_t row_bytes = static_cast<ptrdiff_t>(g.in_w) * g.in_c;
  size_t tap = 0;
  for (int ky = 0; ky < g.kernel_h; ++ky) {
    const int y = out_y * g.stride_h + ky * g.dilation_h - g.pad_top;
    const bool is_row_inside = y >= 0 && y < g.in_h;
    for (int kx = 0; kx < g.kernel_w; ++kx, ++tap) {
      const int x = out_x * g.stride_w + kx * g.dilation_w - g.pad_left;
      const bool is_inside = is_row_inside && x >= 0 && x < g.in_w;
      f(tap, is_inside ? input + y * row_bytes + static_cast<ptrdiff_t>(x) * g.in_c : nullptr);
    }
  }
}

// Walks rows [tile][taps][mr] pixel by pixel. Next(): where the first tap of the next one goes; its others are mr
// apart.
struct TileRows {
  const uint8_t** tile;
  size_t taps, mr, lane = 0;

  const uint8_t** Next() {
    const uint8_t** row = tile + lane;
    if (++lane == mr) {
      lane = 0;
      tile += mr * taps;
    }
    return row;
  }
};

}  // namespace aq
