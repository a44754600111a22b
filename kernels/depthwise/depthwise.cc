// SPDX-License-Identifier: Apache-2.0
// Kernel table and driver of depthwise convolutions: finds the taps of a few pixels, runs one tile.
#include "kernels/depthwise/depthwise.h"

#include <algorithm>

#include "kernels/gemm/gather.h"
#include "kernels/gemm/window.h"

namespace aq {

#define AQ_DEPTHWISE(isa, Enum, Struct, label, sums_in_int16) void depthwise_##isa##_##label(const DepthwiseTile&);
#include "kernels/depthwise/kernels.inc"
#undef AQ_DEPTHWISE

namespace {

constexpr DepthwiseKernel kKernels[] = {
#define AQ_DEPTHWISE(isa, Enum, Struct, label, sums_in_int16) \
  {#isa "_depthwise_" #label, Isa::Enum, sums_in_int16, depthwise_##isa##_##label},
#include "kernels/depthwise/kernels.inc"
#undef AQ_DEPTHWISE
};

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
  return kDepthwisePixels * Taps(depthwise.geometry) * sizeof(uint8_t*);
}

void DepthwiseConvolve(const Depthwise& depthwise, const uint8_t* input, const uint8_t* residual, void* const* out,
                       size_t m_begin, size_t m_end, void* scratch) {
  const ConvGeometry& g = depthwise.geometry;
  const uint8_t** rows = static_cast<const uint8_t**>(scratch);
  const size_t channels = static_cast<size_t>(g.in_c);
  DepthwiseTile tile{.rows = rows,
                     .taps = Taps(g),
                     .channels = channels,
                     .weights = depthwise.weights,
                     .bias = depthwise.bias,
                     .requantize = depthwise.requantize,
                     .outputs = depthwise.outputs};
  for (size_t m = m_begin; m < m_end; m += kDepthwisePixels) {
    tile.m = std::min(kDepthwisePixels, m_end - m);
    FindTaps(g, input, depthwise.pad_row, m, tile.m, 1, rows);
    if (residual != nullptr) tile.residual = residual + m * channels;
    for (int o = 0; o < depthwise.outputs; ++o) {
      const size_t bytes = depthwise.requantize[o].is_wide ? sizeof(int32_t) : 1;
      tile.out[o] = static_cast<uint8_t*>(out[o]) + m * channels * bytes;
    }
    depthwise.kernel->run(tile);
  }
}

}  // namespace aq
