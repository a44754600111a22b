// SPDX-License-Identifier: Apache-2.0
// Contract between matrix-multiply tiles and everything around them: packer, convolution driver, tests, bench.
// A 1x1 convolution or a dense layer has one tap, a 3x3 convolution nine; there is no im2col.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/requantize/requantize.h"
#include "platforms/cpu.h"

namespace aq {

// Tiles may read an activation row up to k_padded, so at most this many bytes past its end: every activation buffer
// a kernel sees is followed by this much readable memory (the arena's promise; caller's buffers are copied in).
inline constexpr size_t kReadSlack = 64;

// One mr x nr tile: acc[i][j] = bias[j] + sum_tap sum_k rows[tap * mr + i][k] * w[tap][k][j]
//                              - row_sums[i] * weight_zero_points[j]     (asymmetric weights only)
// then, per output o: out[o][i][j] = requantize[o](acc[i][j], residual[i][j]).
struct GemmTile {
  const uint8_t* const* rows = nullptr;  // [taps][mr] activation rows; short tiles repeat the last row
  size_t taps = 0;
  size_t k_padded = 0;                          // activations per row and tap, a multiple of the kernel's k block
  const uint8_t* weights = nullptr;             // one packed panel of nr columns, zero beyond the real k
  const int8_t* codebook = nullptr;             // [16] what a 2- or 4-bit code means (2-bit: 4 values repeated)
  const int32_t* bias = nullptr;                // [nr] zero points of the input folded in
  const int32_t* weight_zero_points = nullptr;  // [nr], null = all zero
  const int32_t* row_sums = nullptr;       // [mr] sum of the row's activations over all taps; with weight_zero_points
  const Requantize* requantize = nullptr;  // [outputs]
  int outputs = 1;
  int m = 0;                                 // rows to store, 1 ... mr
  size_t column = 0;                         // first output channel: indexes the arrays of `requantize`
  size_t columns = 0;                        // columns to store, <= nr
  const uint8_t* const* residual = nullptr;  // [mr] codes of the residual at `column`, null = none
  void* const* out = nullptr;                // [outputs][mr] at `column`: uint8 codes, or int32 when is_wide
};
using GemmTileFn = void (*)(const GemmTile&);

// One row of the kernel table. Packed layout is decided by (nr, kr, weight_bits) alone.
struct GemmKernel {
  const char* name;  // "avxvnni_w4a8_5x16"
  Isa isa;
  int weight_bits;   // 2, 4, 8: how a packed byte unpacks
  int32_t max_pair;  // exact while |w0*a0 + w1*a1| <= max_pair for every two products
  int mr, nr, kr;
  int32_t
      activation_flip;  // added to every activation on load (NEON's signed dot: -128), undone in the bias by the packer
  GemmTileFn run;
};

// What a layer needs; all numbers known at load.
struct GemmShape {
  size_t m = 0, n = 0, k = 0, taps = 1;
  int weight_bits = 8;   // of the codes in the file
  int32_t max_pair = 0;  // 2 * max |w| * max activation code
};

// The cheapest row of the table that `isas` allows, by ceil(m/mr) * ceil(n/nr) * cost(mr, nr); later rows win ties.
// Layers whose codebook does not suit a narrow kernel get an 8-bit one (the packer decodes). Never null: scalar rows
// are exact for all.
const GemmKernel* SelectGemm(const GemmShape& shape, IsaSet isas);
// Every row of this build, for tests, bench and `aq cpu`.
struct GemmKernels {
  const GemmKernel* begin_;
  const GemmKernel* end_;
  const GemmKernel* begin() const { return begin_; }
  const GemmKernel* end() const { return end_; }
};
GemmKernels AllGemmKernels();
// The ISAs that have rows in this build.
IsaSet KernelIsas();

}  // namespace aq
