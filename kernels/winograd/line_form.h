// SPDX-License-Identifier: Apache-2.0
// F(4, 4) along a line, in integers: four outputs of a filter of up to four taps from seven products instead of
// sixteen. Points 0, 1, -1, 2, -2, 3, infinity (forms.h has the sources).
//   120 y = output ((weight w) * (input d)), * element by element, for a line d of seven samples.
#pragma once

#include <cstdint>

#include "kernels/numerics.h"

namespace aq {

inline constexpr int kLineTaps = 4, kLineOut = 4, kLineIn = 7;
inline constexpr int32_t kLineDivisor = 120;  // 15 * 2^3
inline constexpr int kLineShift = 3;
inline constexpr uint32_t kLineInverse = 0xEEEEEEEF;  // of 15 modulo 2^32

inline constexpr int16_t kLineInput[kLineIn][kLineIn] = {
    {-12, 4, 15, -5, -3, 1, 0}, {0, 12, 8, -7, -2, 1, 0}, {0, -12, 16, -1, -4, 1, 0}, {0, 6, 1, -7, -1, 1, 0},
    {0, -6, 5, 5, -5, 1, 0},    {0, 4, 0, -5, 0, 1, 0},   {0, -12, 4, 15, -5, -3, 1}};
inline constexpr int16_t kLineWeight[kLineIn][kLineTaps] = {{1, 0, 0, 0},   {1, 1, 1, 1},  {1, -1, 1, -1}, {1, 2, 4, 8},
                                                            {1, -2, 4, -8}, {1, 3, 9, 27}, {0, 0, 0, 1}};
// output, for line_transforms.h to factor: {-10, 10, 5, -5, -1, 1, 0}, {0, 10, -5, -10, 2, 3, 0},
// {0, 10, 5, -20, -4, 9, 0}, {0, 10, -5, -40, 8, 27, 120}.

// Whether operands of a matrix up to `high` in magnitude stay in int16 when transformed.
template <int kColumns>
constexpr bool LineFitsInt16(const int16_t (&matrix)[kLineIn][kColumns], int high) {
  for (const auto& row : matrix) {
    int sum = 0;
    for (const int factor : row) sum += factor < 0 ? -factor : factor;
    if (sum * high > INT16_MAX) return false;
  }
  return true;
}
// Any codes, and any weights less their zero points: the transformed operands need no proof per layer.
static_assert(LineFitsInt16(kLineInput, 255) && LineFitsInt16(kLineWeight, 256));

}  // namespace aq
