// SPDX-License-Identifier: Apache-2.0
// Max and average pooling over channels-last codes; global pooling is a window of the whole image.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/convolve.h"

namespace aq {

struct Pooling {
  ConvGeometry geometry;  // out_c = in_c; dilation 1; padding taps are left out of the window
  bool is_average = false;
  bool count_include_pad = false;
  int32_t input_zero_point = 0;  // average: acc = sum(code - zero point) over the taps inside the image
  // Average: one entry per window count (index count - 1), or one in all when count_include_pad; each with its
  // per-channel arrays filled with equal values.
  const Requantize* requantize = nullptr;
  const RowKernels* kernels = nullptr;
};
size_t PoolScratchBytes(const Pooling& pooling);
void Pool(const Pooling& pooling, const uint8_t* input, void* out, size_t m_begin, size_t m_end, void* scratch);

}  // namespace aq
