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

}  // namespace
}  // namespace aq

// Stamps one row of decode.inc as a function.
#define AQ_DECODE(isa, Enum, Struct, bits, to)                                        \
  void decode_##isa##_w##bits##_to_##to(const PanelSource& source, uint8_t* values) { \
    static_assert(sizeof(Struct::Weights) == Struct::kBytes * to / 8);                \
    DecodePanel<Struct, bits>(source, values);                                        \
  }
