// SPDX-License-Identifier: Apache-2.0
// One output quantisation of one op, laid out for kernels: what numerics.h says per value, as per-channel arrays.
// Built at load by PrepareRequantize (prepare.cc) from the file's numbers; read by every kernel that rounds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/numerics.h"

namespace aq {

// Per-channel arrays are padded with valid entries to a multiple of this; kernels may read the padding.
inline constexpr int kChannelPad = 64;

// v = (((acc << left_shift[n]) * multiplier[n]) >> 32 >> right_shift[n]) [+ residual * residual_ratio[n]] + offset[n],
// at kSumFractionBits when has_residual (then >> kSumExtraBits), else at kFractionBits; clamp; round (numerics.h).
struct Requantize {
  const int32_t* multiplier = nullptr;   // [n_padded]
  const int32_t* left_shift = nullptr;   // [n_padded]
  const int32_t* right_shift = nullptr;  // [n_padded]
  const int32_t* offset = nullptr;       // [n_padded], pre-shifted to Q.12 and less zero_point * ratio with a residual
  const int32_t* ratio = nullptr;        // [n_padded] additions: input 0; offset then also holds its zero point
  const int32_t* residual_ratio = nullptr;  // [n_padded]
  const int32_t* acc_thresholds =
      nullptr;  // [3][n_padded] 2-bit outputs without residual: code = count(acc > t), no multiply
  const int32_t* v_thresholds = nullptr;  // [3][n_padded] per-channel thresholds on v (2-bit, residual or addition)
  // [n_padded] 8-bit outputs with one border for all levels, without residual: code = clamp((((acc * multiplier) >> 32)
  // + code_offset) >> code_shift). The border is in the offset; no left shift, no rounding of bytes.
  const int32_t* code_offset = nullptr;
  const int32_t* code_shift = nullptr;
  size_t n_padded = 0;
  alignas(16) uint8_t border[kBorderEntries] = {};
  int32_t border_shift = 0;
  int32_t max_level = 255;  // 3, 15, 255
  bool is_wide = false;     // bits = 32: the output is int32 v, no clamp, no rounding

  // Bytes of an output. Always inlined: a copy of it in an ISA's object might be the one that the linker takes.
  __attribute__((always_inline)) size_t output_bytes() const { return is_wide ? sizeof(int32_t) : 1; }
};

// One block of channels of a requantisation of int16 sums, in the order of some kernel's sums (depthwise.h):
// (floor(sum * (high * 2^16 + low) / 2^16) + offset) >> shift; all of it fits int32.
struct SumScale {
  const int16_t* low;
  const int16_t* high;    // each beside a 1, for instructions that add two products
  const int32_t* offset;  // in the order those leave
  const int32_t* shift;
};

// Where one result goes: up to two outputs, each under its own quantisation.
inline constexpr int kMaxOutputs = 2;

}  // namespace aq
