// SPDX-License-Identifier: Apache-2.0
// The one weight packer: from the file's codes ([n][tap][k], dense) to panels of nr columns for one kernel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace aq {

// Weights of one group as the file stores them: code number ((first_n + n) * taps + tap) * k + kk.
struct WeightSource {
  const uint8_t* codes = nullptr;
  int bits = 8;
  const int8_t* codebook = nullptr;  // [2^bits], null = two's complement
  size_t first_n = 0;
  size_t n = 0, taps = 1, k = 0;
};

size_t PackedK(const GemmKernel& kernel, size_t k);  // k rounded up to the kernel's k block (kr * 8 / weight_bits)
size_t PackedColumns(const GemmKernel& kernel, size_t n);                       // n rounded up to nr
size_t PackedBytes(const GemmKernel& kernel, size_t n, size_t taps, size_t k);  // includes kReadSlack
// Panels of nr columns; per tap, blocks of kr * planes k; plane p of a byte sits in bits [p * bits, (p + 1) * bits).
// A kernel with weight_bits = 8 takes codes of any width: they are decoded here. Padding codes decode to 0 when the
// codebook has a 0; else `codebook[0]` stands there and every activation beyond k must be 0: see
// `CodebookHasZero`.
void PackWeights(const WeightSource& source, const GemmKernel& kernel, uint8_t* packed);
// bias [n] (null = 0) -> [PackedColumns], zero beyond n; undoes the kernel's activation flip.
void PackBias(const WeightSource& source, const GemmKernel& kernel, const int32_t* bias, int32_t* packed);
// The 16 entries a tile's byte shuffle wants: the codebook (or two's complement) repeated to 16.
void ExpandCodebook(int bits, const int8_t* codebook, int8_t expanded[16]);
// False when no code of the codebook means 0 while k needs padding: such a layer must use an 8-bit kernel.
bool CodebookHasZero(int bits, const int8_t* codebook);

}  // namespace aq
