// SPDX-License-Identifier: Apache-2.0
// The integer forms of F(m x m, 3 x 3): m^2 output pixels of a 3x3 convolution of stride 1 from (m + 2)^2 products
// instead of 9 m^2. Nothing is rounded: the matrices are integers and the result, a multiple of `divisor`, is divided
// exactly (Winograd 1980; Lavin and Gray, arXiv 1509.09308; the integer scaling is ours).
#pragma once

#include <cstdint>

#include "kernels/isa/unroll.h"

namespace aq {

inline constexpr int kWinogradTaps = 3, kMaxWinogradIn = 5, kMaxWinogradOut = 3;
inline constexpr int kMaxWinogradProducts = kMaxWinogradIn * kMaxWinogradIn;

// Y = output (weight w weight^T * input d input^T) output^T / divisor, for a window d of in x in pixels.
struct WinogradForm {
  const char* name;
  int out, in;
  int8_t input[kMaxWinogradIn][kMaxWinogradIn];
  int8_t weight[kMaxWinogradIn][kWinogradTaps];
  int8_t output[kMaxWinogradOut][kMaxWinogradIn];
  // divisor = odd * 2^shift; modulo 2^32 division by `odd` is multiplication by its inverse.
  int32_t divisor;
  int shift;
  uint32_t inverse;

  constexpr int products() const { return in * in; }
};

namespace {

// Points 0, 1, -1, infinity; and 0, 1, -1, 2, infinity.
constexpr WinogradForm kWinogradForms[] = {
    {.name = "2x2",
     .out = 2,
     .in = 4,
     .input = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
     .weight = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}},
     .output = {{1, 1, 1, 0}, {0, 1, -1, -1}},
     .divisor = 4,
     .shift = 2,
     .inverse = 1},
    {.name = "3x3",
     .out = 3,
     .in = 5,
     .input = {{2, -1, -2, 1, 0}, {0, -2, -1, 1, 0}, {0, 2, -3, 1, 0}, {0, -1, 0, 1, 0}, {0, 2, -1, -2, 1}},
     .weight = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {1, 2, 4}, {0, 0, 1}},
     .output = {{3, -3, -1, 1, 0}, {0, -3, 1, 2, 0}, {0, -3, -1, 4, 6}},
     .divisor = 36,
     .shift = 2,
     .inverse = 0x38E38E39}};

// Sums of the positive and of the negative products of two rows: with operands in [0, high] the transformed value lies
// in [-negative * high, positive * high].
struct SignedSums {
  int positive = 0, negative = 0;
};
template <class Row>
AQ_INLINE constexpr SignedSums SumsOfProduct(const Row& a, const Row& b) {
  SignedSums sums;
  for (const int x : a) {
    for (const int y : b) (x * y > 0 ? sums.positive : sums.negative) += x * y > 0 ? x * y : -x * y;
  }
  return sums;
}

// Whether any codes, and any weights less their zero points, stay in int16 when transformed.
AQ_INLINE constexpr bool FitsInt16(const WinogradForm& form) {
  constexpr int kHighest = 256;
  for (int i = 0; i < form.in; ++i) {
    for (int j = 0; j < form.in; ++j) {
      const SignedSums input = SumsOfProduct(form.input[i], form.input[j]);
      const SignedSums weight = SumsOfProduct(form.weight[i], form.weight[j]);
      if (kHighest * (input.positive + input.negative) > INT16_MAX) return false;
      if (kHighest * (weight.positive + weight.negative) > INT16_MAX) return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace aq
