// SPDX-License-Identifier: Apache-2.0
// Strided copies of codes: what Transpose, Slice and Pad come down to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/tensor.h"

namespace aq {

struct StridedCopy {
  int rank = 1;
  std::array<size_t, kMaxRank> extents = {};                       // how many along each dimension
  std::array<size_t, kMaxRank> in_strides = {}, out_strides = {};  // in codes
  size_t in_begin = 0, out_begin = 0;
};

std::array<size_t, kMaxRank> DenseStrides(const Shape& shape);
void CopyStrided(const StridedCopy& copy, const uint8_t* in, uint8_t* out);

}  // namespace aq
