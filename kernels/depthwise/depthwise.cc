// SPDX-License-Identifier: Apache-2.0
// Kernel table and driver of depthwise convolutions: finds the taps of a few pixels, runs one tile.
#include "kernels/depthwise/depthwise.h"

#include <algorithm>

#include "kernels/gemm/gather.h"
#include "kernels/gemm/window.h"

namespace aq {

#define AQ_DEPTHWISE(isa, Enum, Struct, label, block, run, flip) void depthwise_##isa##_##label(const DepthwiseTile&);
#include "kernels/depthwise/kernels.inc"
#undef AQ_DEPTHWISE

namespace {

constexpr DepthwiseKernel kKernels[] = {
#define AQ_DEPTHWISE(isa, Enum, Struct, label, block, run, flip) \
  {#isa "_depthwise_" #label, Isa::Enum, (block) != 0, {block, run, flip}, depthwise_##isa##_##label},
#include "kernels/depthwise/kernels.inc"
#undef AQ_DEPTHWISE
};

// Output columns whose taps all lie inside the image, if their rows do.
struct Columns {
  int begin, end;
};
Columns InsideColumns(const ConvGeometry& g) {
  const int room = g.in_w + g.pad_left - (g.dilation_w * (g.kernel_w - 1) + 1);
  const int end = room < 0 ? 0 : std::min(g.out_w, room / g.stride_w + 1);
  return {std::min(end, (g.pad_left + g.stride_w - 1) / g.stride_w), end};
}
bool IsRowInside(const ConvGeometry& g, int out_y, int ky) {
  const int y = out_y * g.stride_h - g.pad_top + ky * g.dilation_h;
  return y >= 0 && y < g.in_h;
}

}  // namespace

DepthwiseKernels AllDepthwiseKernels() { return {kKernels, kKernels + sizeof(kKernels) / sizeof(kKernels[0])}; }

const DepthwiseKernel* SelectDepthwise(bool fits_int16_sums, IsaSet isas) {
  const DepthwiseKernel* best = nullptr;
  for (const DepthwiseKernel& kernel : kKernels) {
    if (isas.Has(kernel.isa) && (fits_int16_sums || !kernel.sums_in_int16)) best = &kernel;
  }
  return best;
}

size_t DepthwiseScratchBytes(const Depthwise& depthwise) {
  const size_t taps = Taps(depthwise.geometry);
  return (TapSlots(taps) + taps) * sizeof(uint8_t*);
}

// Runs of pixels inside the image share the taps of the first; at its edge each pixel has its own.
void DepthwiseConvolve(const Depthwise& depthwise, const uint8_t* input, const uint8_t* residual, void* const* out,
                       size_t m_begin, size_t m_end, void* scratch) {
  const ConvGeometry& g = depthwise.geometry;
  const size_t channels = static_cast<size_t>(g.in_c), taps = Taps(g), out_w = static_cast<size_t>(g.out_w);
  const uint8_t** slots = static_cast<const uint8_t**>(scratch);
  const uint8_t** found = slots + TapSlots(taps);
  const Columns inside = InsideColumns(g);
  const ptrdiff_t step = ptrdiff_t{g.stride_w} * g.in_c;
  DepthwiseTile tile{.rows = slots,
                     .step = step,
                     .slides = depthwise.kernel->sums_in_int16 && g.kernel_h == 3 && g.kernel_w == 3 &&
                               g.stride_w == g.dilation_w,
                     .taps = taps,
                     .channels = channels,
                     .weights = depthwise.weights,
                     .bias = depthwise.bias,
                     .requantize = depthwise.requantize,
                     .of_sums = depthwise.of_sums,
                     .outputs = depthwise.outputs};
  for (size_t m = m_begin; m < m_end; m += tile.m) {
    const int y = static_cast<int>(m / out_w), x = static_cast<int>(m % out_w);
    bool is_run = x >= inside.begin && x < inside.end;
    for (int ky = 0; ky < g.kernel_h; ++ky) {
      const bool is_inside = IsRowInside(g, y, ky);
      if (tile.slides) {
        tile.row_steps[ky] = is_inside ? step : 0;
      } else {
        is_run = is_run && is_inside;
      }
    }
    tile.m = is_run ? std::min({kDepthwisePixels, m_end - m, static_cast<size_t>(inside.end - x)}) : 1;
    FindTaps(g, input, depthwise.pad_row, m, 1, 1, found);
    for (size_t i = 0; i < TapSlots(taps); ++i) slots[i] = found[TapOfSlot(taps, i)];
    if (residual != nullptr) tile.residual = residual + m * channels;
    for (int o = 0; o < depthwise.outputs; ++o) {
      const size_t bytes = depthwise.requantize[o].is_wide ? sizeof(int32_t) : 1;
      tile.out[o] = static_cast<uint8_t*>(out[o]) + m * channels * bytes;
    }
    depthwise.kernel->run(tile);
  }
}

}  // namespace aq
