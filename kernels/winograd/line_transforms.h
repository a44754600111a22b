// SPDX-License-Identifier: Apache-2.0
// The transforms of a row of lines.inc, on the compiler's vectors.
#pragma once

#include "kernels/winograd/line_form.h"
#include "kernels/winograd/lines.h"
#include "kernels/winograd/transforms.h"

namespace aq {
namespace {

// A window at a time, the lanes of a sample side by side.
AQ_INLINE void TransformLine(const LineInput& in) {
  using Codes = VectorOf<uint8_t, kLineLanes>::Type;
  using V = VectorOf<int16_t, kLineLanes * sizeof(int16_t)>::Type;
  const uint8_t* codes = in.codes;
  int16_t* to = in.values;
  for (size_t w = 0; w < in.windows; ++w, codes += kLineOut * in.lanes, to += in.window) {
    V samples[kLineIn];
    Unroll<kLineIn>(
        [&](auto j) AQ_LAMBDA { samples[j] = __builtin_convertvector(LoadVector<Codes>(codes + j * in.lanes), V); });
    Unroll<kLineIn>([&](auto i) AQ_LAMBDA {
      V sum = {};
      Unroll<kLineIn>([&](auto j) AQ_LAMBDA {
        constexpr int16_t kFactor = kLineInput[decltype(i)::kValue][decltype(j)::kValue];
        if constexpr (kFactor != 0) sum += samples[j] * kFactor;
      });
      StoreVector(to + i * in.plane, sum);
    });
  }
}

// Products -> accumulators of the windows' pixels, then the one epilogue. Modulo 2^32; points of opposite sign share
// their sums and differences.
template <class Isa, int kBytes>
AQ_INLINE void TransformLineOutput(const WinogradOutput& o) {
  using V = typename VectorOf<int32_t, kBytes>::Type;
  using U = typename VectorOf<uint32_t, kBytes>::Type;
  for (size_t n = 0; n < o.nr; n += kBytes / sizeof(int32_t)) {
    const U bias = LoadVector<U>(o.bias + n);
    for (size_t w = 0; w < o.windows; ++w) {
      const int32_t* const from = o.products + w * o.nr + n;
      U m[kLineIn];
      Unroll<kLineIn>([&](auto i) AQ_LAMBDA { m[i] = LoadVector<U>(from + i * o.plane); });
      const U ones = 10 * m[1], minus_ones = 5 * m[2], twos = 5 * m[3];
      const U even1 = ones + minus_ones, odd1 = ones - minus_ones, even2 = twos + m[4], odd2 = twos - m[4];
      const U y[kLineOut] = {even1 - even2 + m[5] - 10 * m[0], odd1 - 2 * odd2 + 3 * m[5], even1 - 4 * even2 + 9 * m[5],
                             odd1 - 8 * odd2 + 27 * m[5] + 120 * m[6]};
      int32_t* const to = o.sums + w * kLineOut * o.nr + n;
      Unroll<kLineOut>([&](auto i) AQ_LAMBDA {
        const U quotient = reinterpret_cast<U>(reinterpret_cast<V>(y[i] * kLineInverse) >> kLineShift);
        StoreVector(to + i * o.nr, quotient + bias);
      });
    }
  }
  RoundLines<Isa>(o, 0);
}

}  // namespace
}  // namespace aq

// Stamps one table row (lines.inc) as two functions.
#define AQ_WINOGRAD_LINE(isa, Enum, Struct, bytes)                        \
  void line_input_##isa(const LineInput& input) { TransformLine(input); } \
  void line_output_##isa(const WinogradOutput& output) { TransformLineOutput<Struct, bytes>(output); }
