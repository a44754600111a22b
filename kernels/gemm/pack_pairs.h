// SPDX-License-Identifier: Apache-2.0
// The one loop that rewrites pixels of 2-bit codes as pairs, over an Isa struct. Called by pair_image.cc.
#pragma once

#include <cstring>

#include "kernels/gemm/pair_image.h"
#include "kernels/isa/unroll.h"

namespace aq {
namespace {

template <class Isa>
AQ_INLINE void PackPixels(const PairPixels& p) {
  constexpr size_t kStep = Isa::kPackCodes;
  static_assert(kStep % kPairBlock == 0);  // so that one step fills what is missing
  const size_t whole = p.channels / kStep * kStep, rest = p.channels - whole;
  const uint8_t* codes = p.codes;
  uint8_t* pixel = p.pixels;
  for (size_t i = 0; i < p.count; ++i, codes += p.stride, pixel += p.pairs + sizeof(uint16_t)) {
    auto sums = Isa::ZeroCodeSums();
    for (size_t k = 0; k < whole; k += kStep) sums = Isa::PackCodes(sums, codes + k, pixel + k / 2);
    if (whole / 2 != p.pairs) {  // missing channels are 0
      uint8_t last[kStep] = {}, packed[kStep / 2];
      std::memcpy(last, codes + whole, rest);
      sums = Isa::PackCodes(sums, last, packed);
      std::memcpy(pixel + whole / 2, packed, p.pairs - whole / 2);
    }
    const uint16_t sum = Isa::TotalOf(sums);
    std::memcpy(pixel + p.pairs, &sum, sizeof(sum));
  }
}

}  // namespace
}  // namespace aq

// Stamps one row of pack_pairs.inc as a function.
#define AQ_PACK_PAIRS(isa, Enum, Struct) \
  void pack_pairs_##isa(const PairPixels& pixels) { PackPixels<Struct>(pixels); }
