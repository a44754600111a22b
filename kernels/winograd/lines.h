// SPDX-License-Identifier: Apache-2.0
// First layers: convolutions of few input channels with fewer multiplications, exactly, whatever the widths. Winograd's
// method along the lines of the image (line_form.h), in int16, on the tiles of kernels/gemm that multiply int16. A
// stride of s makes s filters of every s-th tap; they, the channels and the lines of a window are what is summed.
// Weights are few, so they are transformed once, when a session is made.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"
#include "kernels/gemm/pack.h"
#include "kernels/winograd/winograd.h"

namespace aq {

// One line of the image -> one line of all windows of kLineIn samples, each of `lanes` codes.
inline constexpr size_t kLineLanes = 8;  // at most; kLineLanes are read and written always
struct LineInput {
  const uint8_t* codes = nullptr;  // of the first window; windows are kLineOut samples apart
  size_t windows = 0, lanes = 0;
  int16_t* values = nullptr;  // [kLineIn][plane], of which [windows][window]
  size_t plane = 0, window = 0;
};

struct LineTransforms {
  const char* name;  // "avx2_winograd_line_4"
  Isa isa;
  void (*input)(const LineInput&);
  // Windows are kLineOut pixels of one line: rows is 1, bias [columns] is the layer's.
  void (*output)(const WinogradOutput&);
};

struct LineChoice {
  const LineTransforms* transforms = nullptr;  // null: the layer does not qualify
  const GemmKernel* kernel = nullptr;          // of the products
  size_t cost = 0;                             // in the unit of GemmCost (gemm/gemm.h)
};
// Needs no dilation, at most kLineTaps taps per phase of the stride, stride * channels <= kLineLanes, and sums whose
// kLineDivisor-fold fits int32.
LineChoice SelectLines(const ConvGeometry& g, const WeightSource& source, int32_t max_code, IsaSet isas);
// Every row, for tests.
struct LineTable {
  const LineTransforms* begin_;
  const LineTransforms* end_;
  const LineTransforms* begin() const { return begin_; }
  const LineTransforms* end() const { return end_; }
};
LineTable AllLineTransforms();

// int16 values of all transformed weights: [panels][kLineIn] panels for the tile.
size_t LineWeightCount(const ConvGeometry& g, const GemmKernel& kernel);
void TransformLineWeights(const ConvGeometry& g, const WeightSource& source, const GemmKernel& kernel, int16_t* packed);

struct LineWinograd {
  const LineTransforms* transforms = nullptr;
  const int16_t* weights = nullptr;
};
// As ConvolvePart, with lines of output pixels for pixels. `layer` has a tile of int16 weights and its bias; its packed
// weights are not used.
size_t LineScratchBytes(const Convolution& layer);
void LinePart(const LineWinograd& winograd, const Convolution& layer, const uint8_t* input, const uint8_t* residual,
              void* const* out, const ConvolveRange& range, void* scratch);

}  // namespace aq
