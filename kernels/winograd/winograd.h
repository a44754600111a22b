// SPDX-License-Identifier: Apache-2.0
// 3x3 convolutions of stride 1 with fewer multiplications, exactly: windows of pixels and weights are transformed
// (forms.h) to bytes that the direct tiles of kernels/gemm multiply, or to int16 where they do not fit bytes; the
// products are transformed back and rounded.
// Weights stay packed and are decoded and transformed a panel at a time, once per block of windows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"
#include "kernels/gemm/pack.h"
#include "kernels/winograd/forms.h"

namespace aq {

// ---- One row of the table kernels.inc: the three transforms of a form on an instruction set ------------------------

struct WinogradInput {
  const uint8_t* const* pixels = nullptr;  // [windows][in * in]
  size_t windows = 0, channels = 0;        // channels in whole vectors
  const uint8_t* offsets = nullptr;        // [in * in] added to bytes so that none is negative
  uint8_t* values = nullptr;               // [in * in][plane bytes], of which [windows][channels] values are written
  size_t plane = 0;
};
struct WinogradWeights {
  PanelSource panel;               // of one tap; the others follow each other (WeightSource::whole_taps)
  uint8_t* transformed = nullptr;  // [in * in][plane bytes], of which what a decoder would write for a tap
  size_t plane = 0;
};
// Consecutive windows of one row of windows, `columns` output channels.
struct WinogradOutput {
  const int32_t* products = nullptr;  // [in * in][plane], of which [windows][nr]
  size_t plane = 0, windows = 0, nr = 0;
  const int32_t* bias = nullptr;  // [out * out][bias_stride]: divisor * bias less what the offsets contribute
  size_t bias_stride = 0;
  int32_t* sums = nullptr;      // scratch [out][windows * out][nr] + kWinogradSlack
  size_t rows = 0, pixels = 0;  // of the image: rows <= out, pixels <= windows * out
  size_t column = 0, columns = 0;
  const Requantize* requantize = nullptr;
  int outputs = 1;
  size_t stride = 0, line = 0;        // elements from pixel to pixel and from row to row, of residual and outputs
  const uint8_t* residual = nullptr;  // at the first pixel and column, as `out`
  void* out[kMaxOutputs] = {};
};
inline constexpr size_t kWinogradSlack = 16;  // int32 that the epilogue may read beyond the last sum

struct WinogradTransforms {
  const char* name;  // "avx2_winograd_2x2"
  Isa isa;
  const WinogradForm* form;
  size_t vector_bytes;
  size_t value_bytes;  // 1, 2: transformed operands are bytes, int16, for tiles of such weights
  void (*input)(const WinogradInput&);
  void (*weights2)(const WinogradWeights&);  // of 2-bit codes
  void (*weights4)(const WinogradWeights&);
  void (*weights8)(const WinogradWeights&);  // null for bytes, which 8-bit codes would not fit
  void (*output)(const WinogradOutput&);
};
struct WinogradTable {
  const WinogradTransforms* begin_;
  const WinogradTransforms* end_;
  const WinogradTransforms* begin() const { return begin_; }
  const WinogradTransforms* end() const { return end_; }
};
WinogradTable AllWinogradTransforms();

// ---- A layer -------------------------------------------------------------------------------------------------------

struct Winograd {
  // The layer with a direct tile of 8- or 16-bit weights, packed in whole taps. Its bias and its decoder are not used.
  Convolution layer;
  const WinogradTransforms* transforms = nullptr;
  uint8_t offsets[kMaxWinogradProducts] = {};
  size_t widen_steps[kMaxWinogradProducts] = {};
  const int32_t* bias = nullptr;  // [out * out][PackedColumns] (WinogradBias)
};

// Windows of out x out pixels, row by row: the unit that threads share.
size_t WinogradWindows(const Winograd& winograd);
size_t WinogradWindows(const ConvGeometry& g, const WinogradForm& form);
size_t WinogradScratchBytes(const Winograd& winograd);
// As ConvolvePart, with windows for pixels.
void WinogradPart(const Winograd& winograd, const uint8_t* input, const uint8_t* residual, void* const* out,
                  const ConvolveRange& range, void* scratch);

}  // namespace aq
