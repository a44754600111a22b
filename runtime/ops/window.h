// SPDX-License-Identifier: Apache-2.0
// Sliding windows: what convolution and pooling check and compute alike.
#pragma once

#include "kernels/gemm/convolve.h"
#include "runtime/validate.h"

namespace aq {

struct Window {
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  int64_t taps() const { return int64_t{kernel_h} * kernel_w; }
};

template <class Table>  // schema::Conv2D, schema::Pool
Window WindowOf(const Table& table) {
  Window window;
  window.kernel_h = table.kernel_h();
  window.kernel_w = table.kernel_w();
  window.stride_h = table.stride_h();
  window.stride_w = table.stride_w();
  window.pad_top = table.pad_top();
  window.pad_left = table.pad_left();
  window.pad_bottom = table.pad_bottom();
  window.pad_right = table.pad_right();
  return window;
}

// Attribute ranges, pads below the window's extent, and that the output's height and width are what they must be.
Status CheckWindow(const OpContext& op, const Window& window, const Image& in, const Image& out);
// Of a checked window.
ConvGeometry GeometryOf(const Window& window, const Image& in, const Image& out, int32_t groups);

}  // namespace aq
