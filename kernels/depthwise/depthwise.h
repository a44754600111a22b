// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution: one filter per channel. Contract between the tiles and the driver, tests and bench.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"
#include "platforms/cpu.h"

namespace aq {

// One output pixel, all channels: acc[c] = bias[c] + sum_tap rows[tap][c] * w[tap][c].  Weights are int8 values
// (decoded, zero points subtracted; |value| may reach 255 for 8-bit weights with a zero point, hence int16).
struct DepthwiseTile {
  const uint8_t* const* rows = nullptr;  // [taps] pixels, readable up to c_padded
  size_t taps = 0;
  size_t channels = 0;
  const int16_t* weights = nullptr;        // [taps][c_padded], c_padded = channels rounded up to kChannelPad
  const int32_t* bias = nullptr;           // [c_padded]
  const Requantize* requantize = nullptr;  // [outputs]
  int outputs = 1;
  const uint8_t* residual = nullptr;  // [channels] or null
  void* const* out = nullptr;         // [outputs]
};
using DepthwiseFn = void (*)(const DepthwiseTile&);

struct DepthwiseKernel {
  const char* name;
  Isa isa;
  DepthwiseFn run;
};
const DepthwiseKernel* SelectDepthwise(IsaSet isas);  // newest usable row

struct Depthwise {
  ConvGeometry geometry;  // groups = in_c = out_c
  const DepthwiseKernel* kernel = nullptr;
  const int16_t* weights = nullptr;
  const int32_t* bias = nullptr;
  const Requantize* requantize = nullptr;
  int outputs = 1;
  const uint8_t* pad_row = nullptr;  // [in_c + kReadSlack]
};
size_t DepthwiseScratchBytes(const Depthwise& depthwise);
void DepthwiseConvolve(const Depthwise& depthwise, const uint8_t* input, const uint8_t* residual, void* const* out,
                       size_t m_begin, size_t m_end, void* scratch);

}  // namespace aq
