// SPDX-License-Identifier: Apache-2.0
// Pooling of one channel at one output pixel in plain loops.
#pragma once

#include <algorithm>

#include "kernels/pool/pool.h"
#include "kernels/requantize/reference.h"

namespace aq::reference {

// sources: as Pooling::requantize, in the file's numbers. Returns the code of channel c at output (y, x).
inline int32_t Pool(const Pooling& p, const RequantizeSource* sources, const uint8_t* input, int y, int x, int c) {
  const ConvGeometry& g = p.geometry;
  int32_t acc = 0, count = 0, maximum = 0;
  for (int in_y = y * g.stride_h - g.pad_top; in_y < y * g.stride_h - g.pad_top + g.kernel_h; ++in_y) {
    for (int in_x = x * g.stride_w - g.pad_left; in_x < x * g.stride_w - g.pad_left + g.kernel_w; ++in_x) {
      if (in_y < 0 || in_y >= g.in_h || in_x < 0 || in_x >= g.in_w) continue;
      const int32_t code = input[(in_y * g.in_w + in_x) * g.in_c + c];
      maximum = std::max(maximum, code);
      acc += code - p.input_zero_point;
      ++count;
    }
  }
  if (!p.is_average) return maximum;
  return Requantize(acc, nullptr, sources[p.count_include_pad ? 0 : count - 1], static_cast<size_t>(c));
}

}  // namespace aq::reference
