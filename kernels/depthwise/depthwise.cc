// SPDX-License-Identifier: Apache-2.0
// Kernel table and driver of depthwise convolutions: gathers the taps of one pixel, runs one tile.
#include "kernels/depthwise/depthwise.h"

#include "kernels/gemm/window.h"

namespace aq {

#define AQ_DEPTHWISE(isa, Enum) void depthwise_##isa(const DepthwiseTile&);
#include "kernels/depthwise/kernels.inc"
#undef AQ_DEPTHWISE

namespace {

constexpr DepthwiseKernel kKernels[] = {
#define AQ_DEPTHWISE(isa, Enum) {#isa "_depthwise", Isa::Enum, depthwise_##isa},
#include "kernels/depthwise/kernels.inc"
#undef AQ_DEPTHWISE
};

}  // namespace

const DepthwiseKernel* SelectDepthwise(IsaSet isas) {
  const DepthwiseKernel* best = nullptr;
  for (const DepthwiseKernel& kernel : kKernels) {
    if (isas.Has(kernel.isa)) best = &kernel;
  }
  return best;
}

size_t DepthwiseScratchBytes(const Depthwise& depthwise) { return Taps(depthwise.geometry) * sizeof(uint8_t*); }

void DepthwiseConvolve(const Depthwise& depthwise, const uint8_t* input, const uint8_t* residual, void* const* out,
                       size_t m_begin, size_t m_end, void* scratch) {
  const ConvGeometry& g = depthwise.geometry;
  const uint8_t** rows = static_cast<const uint8_t**>(scratch);
  const size_t channels = static_cast<size_t>(g.in_c), outputs = static_cast<size_t>(depthwise.outputs);
  void* out_rows[kMaxOutputs];
  DepthwiseTile tile{.rows = rows,
                     .taps = Taps(g),
                     .channels = channels,
                     .weights = depthwise.weights,
                     .bias = depthwise.bias,
                     .requantize = depthwise.requantize,
                     .outputs = depthwise.outputs,
                     .out = out_rows};
  for (size_t m = m_begin; m < m_end; ++m) {
    ForEachTap(g, input, m,
               [&](size_t tap, const uint8_t* pixel) { rows[tap] = pixel != nullptr ? pixel : depthwise.pad_row; });
    if (residual != nullptr) tile.residual = residual + m * channels;
    for (size_t o = 0; o < outputs; ++o) {
      const size_t bytes = depthwise.requantize[o].is_wide ? sizeof(int32_t) : 1;
      out_rows[o] = static_cast<uint8_t*>(out[o]) + m * channels * bytes;
    }
    depthwise.kernel->run(tile);
  }
}

}  // namespace aq
