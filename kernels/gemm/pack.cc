// SPDX-License-Identifier: Apache-2.0
// See pack.h. Runs once per layer at load; plain loops.
#include "kernels/gemm/pack.h"

#include <cassert>
#include <cstring>

namespace aq {
namespace {

size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

size_t BlockK(const GemmKernel& kernel) { return static_cast<size_t>(kernel.kr * (8 / kernel.weight_bits)); }

size_t DataBytes(const GemmKernel& kernel, size_t n, size_t taps, size_t k) {
  return PackedColumns(kernel, n) * taps * PackedK(kernel, k) * static_cast<size_t>(kernel.weight_bits) / 8;
}

uint8_t CodeOfZero(int bits, const int8_t* codebook) {
  if (codebook == nullptr) return 0;
  for (int code = 0; code < 1 << bits; ++code) {
    if (codebook[code] == 0) return static_cast<uint8_t>(code);
  }
  return 0;
}

// What the packed field holds for one weight: the code itself, or its value when the kernel takes bytes.
uint8_t Field(const WeightSource& source, const GemmKernel& kernel, size_t index) {
  const uint8_t code = CodeAt(source.codes, index, source.bits);
  if (kernel.weight_bits == source.bits) return code;
  return static_cast<uint8_t>(DecodeWeight(code, source.bits, source.codebook));
}

}  // namespace

size_t PackedK(const GemmKernel& kernel, size_t k) { return RoundUp(k, BlockK(kernel)); }
size_t PackedColumns(const GemmKernel& kernel, size_t n) { return RoundUp(n, static_cast<size_t>(kernel.nr)); }
size_t PackedBytes(const GemmKernel& kernel, size_t n, size_t taps, size_t k) {
  return DataBytes(kernel, n, taps, k) + kReadSlack;
}

void PackWeights(const WeightSource& source, const GemmKernel& kernel, uint8_t* packed) {
  assert(kernel.weight_bits == source.bits || kernel.weight_bits == 8);
  const size_t nr = static_cast<size_t>(kernel.nr), kr = static_cast<size_t>(kernel.kr), block = BlockK(kernel);
  const size_t bits = static_cast<size_t>(kernel.weight_bits), planes = 8 / bits;
  const size_t k_padded = PackedK(kernel, source.k), n_padded = PackedColumns(kernel, source.n);
  const uint8_t padding = kernel.weight_bits == 8 ? uint8_t{0} : CodeOfZero(source.bits, source.codebook);
  std::memset(packed, 0, PackedBytes(kernel, source.n, source.taps, source.k));

  for (size_t panel = 0; panel < n_padded; panel += nr) {
    for (size_t tap = 0; tap < source.taps; ++tap) {
      for (size_t k0 = 0; k0 < k_padded; k0 += block) {
        for (size_t n = panel; n < panel + nr; ++n) {
          for (size_t i = 0; i < kr; ++i, ++packed) {
            for (size_t plane = 0; plane < planes; ++plane) {
              const size_t k = k0 + plane * kr + i;
              uint8_t field = padding;
              if (n < source.n && k < source.k) {
                field = Field(source, kernel, ((source.first_n + n) * source.taps + tap) * source.k + k);
              }
              *packed = static_cast<uint8_t>(*packed | field << (plane * bits));
            }
          }
        }
      }
    }
  }
}

void PackBias(const WeightSource& source, const GemmKernel& kernel, const int32_t* bias, int32_t* packed) {
  const size_t n_padded = PackedColumns(kernel, source.n), row = source.taps * source.k;
  for (size_t n = 0; n < n_padded; ++n) {
    uint32_t sum = n < source.n && bias != nullptr ? static_cast<uint32_t>(bias[n]) : 0;
    if (kernel.activation_flip != 0 && n < source.n) {
      int32_t weights = 0;  // |sum| < 2^31 by the accumulator bound
      for (size_t i = 0; i < row; ++i) {
        weights += DecodeWeight(CodeAt(source.codes, (source.first_n + n) * row + i, source.bits), source.bits,
                                source.codebook);
      }
      sum -= static_cast<uint32_t>(weights) * static_cast<uint32_t>(kernel.activation_flip);
    }
    packed[n] = static_cast<int32_t>(sum);
  }
}

void ExpandCodebook(int bits, const int8_t* codebook, int8_t expanded[16]) {
  for (int i = 0; i < 16; ++i) {
    const uint8_t code = static_cast<uint8_t>(bits <= 4 ? i & MaxLevel(bits) : 0);
    expanded[i] = bits <= 4 ? DecodeWeight(code, bits, codebook) : int8_t{0};
  }
}

bool CodebookHasZero(int bits, const int8_t* codebook) {
  return codebook == nullptr || bits == 8 || codebook[CodeOfZero(bits, codebook)] == 0;
}

}  // namespace aq
