// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution: one filter per channel. Contract between the tiles and the driver, packer, tests and bench.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/convolve.h"
#include "platforms/cpu.h"

namespace aq {

inline constexpr size_t kDepthwisePixels = 32;  // a tile's at most, unless its codes are made in registers (SumForm)
inline constexpr size_t kDepthwisePairs = 25;   // pairs of taps of a kernel that sums in int16, at most

// How a kernel that sums in int16 wants the channels of a block, so that its loop need not shuffle them.
struct SumOrder {
  size_t block;      // channels; 0: the kernel multiplies int16 weights
  size_t run;        // of the two values per channel that are multiplied and added, so many first ones stand together
  int32_t flip = 0;  // subtracted from activations, so that a signed byte holds them
};

// int16 sums -> codes without a detour through int32 accumulators in memory (requantize_sums.h).
enum class SumForm {
  kNone,        // by the general way, RequantizeRows
  kClamp,       // one border for all levels: scaled to codes, clamped
  kBorder,      // scaled to values, then the border rule
  kThresholds,  // 2-bit outputs: how many thresholds lie below the sum
};
struct SumRequantize {
  SumForm form = SumForm::kNone;
  const uint8_t* blocks = nullptr;
};

// Taps are multiplied two at a time; slot i holds tap TapOfSlot(taps, i). An odd last tap stands in two slots, and the
// weights of the first are 0. Of 3x3, the upper two rows go column by column, so that neighbouring pixels share pairs.
constexpr size_t TapSlots(size_t taps) { return (taps + 1) / 2 * 2; }
constexpr size_t TapOfSlot(size_t taps, size_t slot) {
  constexpr uint8_t k3x3[] = {0, 3, 1, 4, 2, 5, 6, 7, 8, 8};
  return taps == 9 ? k3x3[slot] : slot < taps ? slot : taps - 1;
}
constexpr bool IsTapOfSlot(size_t taps, size_t slot) {
  return slot + 1 == TapSlots(taps) || TapOfSlot(taps, slot) != TapOfSlot(taps, slot + 1);
}

// Some output pixels side by side, all channels: acc[i][c] = bias[c] + sum_tap (rows[tap] + i * step)[c] * w[tap][c].
struct DepthwiseTile {
  const uint8_t* const* rows = nullptr;  // [TapSlots(taps)] pixels, readable up to c_padded
  ptrdiff_t step = 0;                    // bytes from one output pixel's taps to the next one's
  // 3x3 whose pixels are one or two columns apart, so that neighbours share columns; else 0. Then `rows` is the first
  // pixel's only, columns are row_steps apart (0: a row of padding), and the last pixel's last column is at `last`.
  int slide = 0;
  ptrdiff_t row_steps[3] = {};
  const uint8_t* last[3] = {};
  size_t m = 0;  // at least 1
  size_t taps = 0;
  size_t channels = 0;
  const void* weights = nullptr;           // as PackDepthwise (pack.h) writes them
  const int32_t* bias = nullptr;           // [c_padded], c_padded = channels rounded up to kChannelPad
  const Requantize* requantize = nullptr;  // [outputs]
  SumRequantize of_sums;                   // of the only output, or kNone
  int outputs = 1;
  const uint8_t* residual = nullptr;  // [m][channels] or null
  void* out[kMaxOutputs] = {};        // [m][channels] each
};
using DepthwiseFn = void (*)(const DepthwiseTile&);

struct DepthwiseKernel {
  const char* name;
  Isa isa;
  // Adds all products of an output in int16, two taps at a time, with int8 weights: exact where
  // FitsInt16Sums (pack.h). Others multiply int16 weights and are exact for all.
  bool sums_in_int16;
  SumOrder order;
  DepthwiseFn run;
};
// The newest usable row, one that sums in int16 where that is exact.
const DepthwiseKernel* SelectDepthwise(bool fits_int16_sums, IsaSet isas);
struct DepthwiseKernels {
  const DepthwiseKernel* begin_;
  const DepthwiseKernel* end_;
  const DepthwiseKernel* begin() const { return begin_; }
  const DepthwiseKernel* end() const { return end_; }
};
DepthwiseKernels AllDepthwiseKernels();

struct Depthwise {
  ConvGeometry geometry;  // groups = in_c = out_c
  const DepthwiseKernel* kernel = nullptr;
  const void* weights = nullptr;
  const int32_t* bias = nullptr;  // what PackDepthwise left of it
  const Requantize* requantize = nullptr;
  SumRequantize of_sums;
  int outputs = 1;
  const uint8_t* pad_row = nullptr;  // [in_c + kReadSlack]
};
size_t DepthwiseScratchBytes(const Depthwise& depthwise);
void DepthwiseConvolve(const Depthwise& depthwise, const uint8_t* input, const uint8_t* residual, void* const* out,
                       size_t m_begin, size_t m_end, void* scratch);

}  // namespace aq
