// SPDX-License-Identifier: Apache-2.0
// Kernel table and driver of depthwise convolutions: finds the taps of a few pixels, runs one tile.
#include "kernels/depthwise/depthwise.h"

#include <algorithm>

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

bool IsInside(int at, int end) { return at >= 0 && at < end; }

// Where a run of output pixels begins: the window's corner in the input.
struct Corner {
  int y, x;
};
Corner CornerOf(const ConvGeometry& g, size_t m) {
  const int out_w = g.out_w, out = static_cast<int>(m);
  return {out / out_w * g.stride_h - g.pad_top, out % out_w * g.stride_w - g.pad_left};
}
bool IsRowInside(const ConvGeometry& g, const Corner& corner, int ky) {
  return IsInside(corner.y + ky * g.dilation_h, g.in_h);
}

// How many of `most` pixels have all taps inside the image; at least 1.
size_t PixelsInside(const ConvGeometry& g, const Corner& corner, size_t most) {
  const int room = g.in_w - corner.x - (g.dilation_w * (g.kernel_w - 1) + 1);
  if (corner.x < 0 || room < 0) return 1;
  for (int ky = 0; ky < g.kernel_h; ++ky) {
    if (!IsRowInside(g, corner, ky)) return 1;
  }
  return std::min(most, static_cast<size_t>(room / g.stride_w + 1));
}

// How many of `most` pixels a tile can slide over: all columns but the first and the last lie inside.
size_t PixelsToSlide(const ConvGeometry& g, const Corner& corner, size_t most) {
  const int second = corner.x + g.dilation_w;
  if (!IsInside(second, g.in_w)) return 1;
  // A pixel's third column and the next one's second, which is as far or further right, lie inside.
  return std::min(most, static_cast<size_t>((g.in_w - 1 - second) / g.stride_w + 1));
}

int SlideOf(const Depthwise& depthwise) {
  const ConvGeometry& g = depthwise.geometry;
  if (!depthwise.kernel->sums_in_int16 || g.kernel_h != 3 || g.kernel_w != 3) return 0;
  return g.stride_w == g.dilation_w ? 1 : g.stride_w == 2 * g.dilation_w ? 2 : 0;
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

// Runs of pixels of a row: a tile finds all taps from those of the first.
void DepthwiseConvolve(const Depthwise& depthwise, const uint8_t* input, const uint8_t* residual, void* const* out,
                       size_t m_begin, size_t m_end, void* scratch) {
  const ConvGeometry& g = depthwise.geometry;
  const size_t channels = static_cast<size_t>(g.in_c), taps = Taps(g), out_w = static_cast<size_t>(g.out_w);
  const uint8_t** slots = static_cast<const uint8_t**>(scratch);
  const uint8_t** found = slots + TapSlots(taps);
  DepthwiseTile tile{.rows = slots,
                     .step = ptrdiff_t{g.stride_w} * g.in_c,
                     .slide = SlideOf(depthwise),
                     .taps = taps,
                     .channels = channels,
                     .weights = depthwise.weights,
                     .bias = depthwise.bias,
                     .requantize = depthwise.requantize,
                     .of_sums = depthwise.of_sums,
                     .outputs = depthwise.outputs};
  const size_t most_of_tile = depthwise.of_sums.form == SumForm::kNone ? kDepthwisePixels : SIZE_MAX;
  for (size_t m = m_begin; m < m_end; m += tile.m) {
    const Corner corner = CornerOf(g, m);
    const size_t most = std::min({most_of_tile, m_end - m, out_w - m % out_w});
    tile.m = tile.slide != 0 ? PixelsToSlide(g, corner, most) : PixelsInside(g, corner, most);
    ForEachTap(g, input, m,
               [&](size_t tap, const uint8_t* pixel) { found[tap] = pixel != nullptr ? pixel : depthwise.pad_row; });
    for (size_t i = 0; i < TapSlots(taps); ++i) slots[i] = found[TapOfSlot(taps, i)];
    if (tile.slide != 0) {
      const int x = corner.x + static_cast<int>(tile.m - 1) * g.stride_w + 2 * g.dilation_w;
      for (int ky = 0; ky < 3; ++ky) {
        const bool is_row_inside = IsRowInside(g, corner, ky);
        const ptrdiff_t pixel = ptrdiff_t{corner.y + ky * g.dilation_h} * g.in_w + x;
        tile.row_steps[ky] = is_row_inside ? ptrdiff_t{g.dilation_w} * g.in_c : 0;
        tile.last[ky] = is_row_inside && IsInside(x, g.in_w) ? input + pixel * g.in_c : depthwise.pad_row;
      }
    }
    if (residual != nullptr) tile.residual = residual + m * channels;
    for (int o = 0; o < depthwise.outputs; ++o) {
      tile.out[o] = static_cast<uint8_t*>(out[o]) + m * channels * depthwise.requantize[o].output_bytes();
    }
    depthwise.kernel->run(tile);
  }
}

}  // namespace aq
