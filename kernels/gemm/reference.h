// SPDX-License-Identifier: Apache-2.0
// Convolution in plain nested loops over the file's codes; knows nothing of packing, tiles or ISAs. A dense layer is a
// 1x1 image, depthwise is groups = channels. The expected value of every convolution test.
#pragma once

#include "kernels/gemm/convolve.h"
#include "kernels/requantize/reference.h"

namespace aq::reference {

struct Convolution {
  ConvGeometry geometry;
  const uint8_t* codes = nullptr;  // [out_c][kernel_h][kernel_w][in_c / groups], dense
  int bits = 8;
  const int8_t* codebook = nullptr;              // null = two's complement
  const int8_t* weight_zero_points = nullptr;    // [out_c] or null
  const int32_t* bias = nullptr;                 // [out_c]
  const uint8_t* pad_codes = nullptr;            // [in_c]
  const RequantizeSource* requantize = nullptr;  // [outputs]
  int outputs = 1;
};

// acc of one output channel at one output pixel.
inline int32_t Accumulate(const Convolution& c, const uint8_t* input, int y, int x, int n) {
  const ConvGeometry& g = c.geometry;
  const int k = g.in_c / g.groups, first_k = n / (g.out_c / g.groups) * k;
  const int32_t zero = c.weight_zero_points != nullptr ? c.weight_zero_points[n] : 0;
  int64_t acc = c.bias[n];
  for (int ky = 0; ky < g.kernel_h; ++ky) {
    for (int kx = 0; kx < g.kernel_w; ++kx) {
      const int in_y = y * g.stride_h + ky * g.dilation_h - g.pad_top;
      const int in_x = x * g.stride_w + kx * g.dilation_w - g.pad_left;
      const bool is_inside = in_y >= 0 && in_y < g.in_h && in_x >= 0 && in_x < g.in_w;
      for (int kk = 0; kk < k; ++kk) {
        const size_t index = static_cast<size_t>(((n * g.kernel_h + ky) * g.kernel_w + kx) * k + kk);
        const int32_t weight = DecodeWeight(CodeAt(c.codes, index, c.bits), c.bits, c.codebook) - zero;
        const uint8_t code =
            is_inside ? input[(in_y * g.in_w + in_x) * g.in_c + first_k + kk] : c.pad_codes[first_k + kk];
        acc += int64_t{weight} * code;
      }
    }
  }
  return static_cast<int32_t>(acc);
}

// out[o][out_h][out_w][out_c]
inline void Convolve(const Convolution& c, const uint8_t* input, const uint8_t* residual, int32_t* const* out) {
  const ConvGeometry& g = c.geometry;
  size_t position = 0;
  for (int y = 0; y < g.out_h; ++y) {
    for (int x = 0; x < g.out_w; ++x) {
      for (int n = 0; n < g.out_c; ++n, ++position) {
        const int32_t acc = Accumulate(c, input, y, x, n);
        const uint8_t* other = residual != nullptr ? residual + position : nullptr;
        for (int o = 0; o < c.outputs; ++o) {
          out[o][position] = Requantize(acc, other, c.requantize[o], static_cast<size_t>(n));
        }
      }
    }
  }
}

}  // namespace aq::reference
