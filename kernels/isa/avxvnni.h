// SPDX-License-Identifier: Apache-2.0
// AVX-VNNI: AVX2 with a four-byte dot product that does not saturate, so it is exact for all operands.
#pragma once

#include "kernels/isa/avx2.h"

namespace aq {
namespace {

struct AvxVnni : Avx2Base {
  static constexpr int kStepsAtOnce = 4;
  using Weights = __m256i;
  using Act = __m256i;
  template <int kBits, int kPlane>
  static AQ_INLINE Weights Unpack(Bytes b, Codebook codebook) {
    return UnpackBytes<kBits, kPlane>(b, codebook);
  }
  static AQ_INLINE Weights LoadZeroPoints(const int8_t* p) { return Load256(p); }
  static AQ_INLINE Weights Subtract(Weights a, Weights b) { return _mm256_sub_epi8(a, b); }
  static AQ_INLINE void StoreWeights(uint8_t* p, Weights w) { Store256(p, w); }
  static AQ_INLINE Act LoadActivations(const uint8_t* const* row, size_t k) { return Broadcast4(row[0] + k); }
  static AQ_INLINE Acc Dot(Acc acc, Act a, Weights w) { return _mm256_dpbusd_avx_epi32(acc, a, w); }
};

}  // namespace
}  // namespace aq
