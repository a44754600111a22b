// SPDX-License-Identifier: Apache-2.0
// The one loop of decode.h over an Isa struct. Plane p of a packed vector belongs to step block * planes + p.
#pragma once

#include "kernels/gemm/decode.h"
#include "kernels/isa/unroll.h"

namespace aq {
namespace {

template <class Isa, int kBits>
AQ_INLINE void DecodePanel(const PanelSource& source, uint8_t* values) {
  constexpr int kPlanes = 8 / kBits;
  constexpr size_t kValueBytes = sizeof(typename Isa::Weights) / Isa::kBytes;
  const auto codebook = Isa::LoadCodebook(source.codebook);
  const uint8_t* packed = source.packed;
  for (size_t block = 0; block < source.blocks; ++block) {
    for (size_t i = 0; i < source.step_bytes; i += Isa::kBytes, packed += Isa::kBytes) {
      const auto codes = Isa::LoadBytes(packed);
      const auto zero = Isa::LoadZeroPoints(source.zero_points + i);
      Unroll<kPlanes>([&](auto p) AQ_LAMBDA {
        constexpr int kPlane = decltype(p)::kValue;
        const auto value = Isa::Subtract(Isa::template Unpack<kBits, kPlane>(codes, codebook), zero);
        Isa::StoreWeights(values + (kPlane * source.step_bytes + i) * kValueBytes, value);
      });
    }
    values += kPlanes * source.step_bytes * kValueBytes;
  }
}

// For look-up tiles: a byte per pair of codes, to be looked up as it is.
template <class Isa>
AQ_INLINE void DecodePairs(const PanelSource& source, uint8_t* pairs) {
  const uint8_t* packed = source.packed;
  for (size_t block = 0; block < source.blocks; ++block, pairs += 2 * source.step_bytes) {
    for (size_t i = 0; i < source.step_bytes; i += Isa::kBytes, packed += Isa::kBytes) {
      const auto codes = Isa::LoadBytes(packed);
      Isa::StorePairs(pairs + i, Isa::template UnpackPairs<2, 0>(codes));
      Isa::StorePairs(pairs + source.step_bytes + i, Isa::template UnpackPairs<2, 1>(codes));
    }
  }
}

// Either, by the width of what is written.
template <class Isa, int kBits, int kTo>
AQ_INLINE void Decode(const PanelSource& source, uint8_t* values) {
  if constexpr (kTo == 4) {
    DecodePairs<Isa>(source, values);
  } else {
    static_assert(sizeof(typename Isa::Weights) == Isa::kBytes * kTo / 8);
    DecodePanel<Isa, kBits>(source, values);
  }
}

}  // namespace
}  // namespace aq

// Stamps one row of decode.inc as a function.
#define AQ_DECODE(isa, Enum, Struct, bits, to)                                        \
  void decode_##isa##_w##bits##_to_##to(const PanelSource& source, uint8_t* values) { \
    Decode<Struct, bits, to>(source, values);                                         \
  }
