// SPDX-License-Identifier: Apache-2.0
// Contract between matrix-multiply tiles and everything around them: packer, convolution driver, tests, bench.
// A 1x1 convolution or a dense layer has one tap, a 3x3 convolution nine; rows are copied only where k must be padded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gemm/decode.h"
#include "kernels/requantize/requantize.h"
#include "kernels/technique.h"
#include "platforms/cpu.h"

namespace aq {

struct PairTable;  // pairs.h

// Gathering and depthwise kernels read whole vectors, so at most this many bytes past a pixel's end: every activation
// buffer they see is followed by this much readable memory (the arena's promise; caller's buffers are copied in).
// Tiles read exactly k_padded activations of every row.
inline constexpr size_t kReadSlack = 64;

// One mr x nr tile: acc[i][j] = bias[j] + sum_tap sum_k rows[tap * mr + i][k] * w[tap][k][j]
//                              - row_sums[i] * weight_zero_points[j]     (only if those are given)
// then, per output o: out[o][i * stride + j] = requantize[o](acc[i][j], residual[i * stride + j]).
struct GemmTile {
  const uint8_t* const* rows = nullptr;  // [taps][mr] activation rows; short tiles repeat the last row
  size_t taps = 0;
  size_t k_padded = 0;               // activations per row and tap, a multiple of the kernel's k block
  const uint8_t* weights = nullptr;  // one panel of nr columns in the form of the kernel's weight_bits
  const int8_t* codebook = nullptr;  // [16] what a 2- or 4-bit code means (2-bit: 4 values repeated)
  const PairTable* pairs = nullptr;  // for look-up tiles
  // Kernels that sum in int16 widen to int32 every so many steps of kr, look-up tiles from bytes every so many pairs.
  size_t widen_steps = 1;
  const int32_t* bias = nullptr;                // [nr] zero points of the input folded in
  const int32_t* weight_zero_points = nullptr;  // [nr], null = all zero or subtracted already
  const int32_t* row_sums = nullptr;       // [groups][mr] of the row's activations, all taps; with weight_zero_points
  const Requantize* requantize = nullptr;  // [outputs]
  int outputs = 1;
  int m = 0;                          // rows to store, 1 ... groups * mr
  size_t column = 0;                  // first output channel: indexes the arrays of `requantize`
  size_t columns = 0;                 // columns to store, <= nr
  size_t stride = 0;                  // elements between rows of residual and outputs
  const uint8_t* residual = nullptr;  // codes of the residual at the tile's first row and column, null = none
  void* out[kMaxOutputs] = {};        // likewise: uint8 codes, or int32 when is_wide
  // Tiles below each other, to be requantised together: `rows` is [groups][taps][mr], group_stride pointers apart.
  size_t groups = 1, group_stride = 0;
  // Not null: acc of any number of groups, [groups * mr][nr], is stored here and nothing is requantised; without row
  // sums.
  int32_t* sums = nullptr;
};
// What is requantised together at most: it costs a tile's share of a call, and reads the channels' constants once.
inline constexpr size_t kMaxTileGroups = 4;
// Limits of NEON's sums (GemmKernel::max_pair): of two products in int16 before they are widened, and of one in int8.
inline constexpr int32_t kPairLimit = 2 * 127 * 128, kByteLimit = 2 * 127;
// Look-up tiles read activations and weights in pairs (pairs.h): rows are k_padded / 2 bytes of 16 * (a0 + 4 * a1),
// made by the driver; row_sums fit int16, zero points are less the table's centre.
inline constexpr int32_t kLookupLimit = 255;

using GemmTileFn = void (*)(const GemmTile&);

// One row of the kernel table. The layout of a panel is decided by (nr, kr, weight_bits) alone.
struct GemmKernel {
  const char* name;  // "avxvnni_w4a8_5x16"
  Isa isa;
  // What the tile reads. 2, 4: packed codes, unpacked inside the tile; 8: int8 values; 16: int16 values (decode.h), and
  // activations in 16 bits too, which the driver gathers. Of look-up tiles 2: packed codes, 4: a byte per pair of
  // codes.
  int weight_bits;
  // INT32_MAX: exact for all operands. Else two products (or, with kByteLimit, twice one) must stay within it, and so
  // must their sums over `widen_steps` steps.
  int32_t max_pair;
  int mr, nr, kr;
  int32_t
      activation_flip;  // added to every activation on load (NEON's signed dot: -128), undone in the bias by the packer
  GemmTileFn run;
};
// Whether CountWidenSteps (pack.h) counts what this tile sums.
constexpr bool CountsSteps(const GemmKernel& kernel) {
  return kernel.max_pair == INT16_MAX && kernel.kr == 4 && kernel.activation_flip == 0;
}
constexpr bool LooksUp(const GemmKernel& kernel) { return kernel.max_pair == kLookupLimit; }
// The largest activation code a tile takes: NEON multiplies signed bytes, so it flips them or has them below 128.
constexpr int32_t MaxCode(const GemmKernel& kernel) {
  if (LooksUp(kernel)) return 3;
  const bool is_signed = kernel.isa == Isa::kNeon || kernel.isa == Isa::kNeonDot;
  return is_signed && kernel.activation_flip == 0 ? 127 : 255;
}

// What a layer needs; all numbers known at load.
struct GemmShape {
  size_t m = 0, n = 0, k = 0, taps = 1;
  size_t lines = 1;        // WeightSource::lines
  int weight_bits = 8;     // of the codes in the file
  int32_t max_code = 255;  // of the activations
  int32_t max_pair = 0;    // 2 * max |w| * max_code, w without its zero point subtracted
  // Weights with their zero points subtracted, as decoded panels hold them:
  bool has_zero_points = false;
  bool fits_int8 = true;
  int32_t max_weight = 255;       // largest magnitude
  size_t widen_steps = SIZE_MAX;  // CountWidenSteps (pack.h) or fewer; 0: not even two products fit int16
  size_t lookup_steps = 0;        // CountLookupSteps (pairs.h) or fewer; 0: not suited to look-up tiles
};

// A tile and how its panels come about.
struct GemmChoice {
  const GemmKernel* kernel = nullptr;
  const PanelDecoder* decoder = nullptr;  // null: the tile reads the packed weights as they are
  size_t widen_steps = 1;
};

// The cheapest way that `isas` allows, by a model of tiles * steps * instructions; later rows win ties. A kernel that
// reads wider weights than the file's takes them from a decoder of its ISA, once per panel and block of rows. Direct
// tiles: never empty, as scalar rows are exact for all. Look-up tiles: `kernel` is null where none suits.
GemmChoice SelectGemm(const GemmShape& shape, IsaSet isas, Technique technique = Technique::kDirect);
// One tile for several products of the same size whose values differ, with the fewest of their widen_steps.
GemmChoice SelectGemm(std::span<const GemmShape> shapes, IsaSet isas, Technique technique = Technique::kDirect);
// GemmChoice::widen_steps of a tile whose weights have their zero points subtracted, for the values of `shape`.
size_t WidenSteps(const GemmKernel& kernel, const GemmShape& shape);
// The cheapest tile of int16 weights and activations, whose operands are made elsewhere (kernels/winograd); `kernel` is
// null where `isas` have none.
GemmChoice SelectInt16Gemm(const GemmShape& shape, IsaSet isas);
// What the model gives for a choice, in sixteenths of an instruction.
size_t GemmCost(const GemmChoice& choice, const GemmShape& shape);
// The decoder of `bits`-wide codes for a tile; null if there is none.
const PanelDecoder* FindDecoder(const GemmKernel& kernel, int bits);
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
