// SPDX-License-Identifier: Apache-2.0
#include "runtime/ops/copy.h"

#include <cstring>

namespace aq {
namespace {

void CopyDimension(const StridedCopy& copy, size_t dimension, const uint8_t* in, uint8_t* out) {
  const size_t extent = copy.extents[dimension];
  const size_t in_stride = copy.in_strides[dimension], out_stride = copy.out_strides[dimension];
  const bool is_last = dimension + 1 == static_cast<size_t>(copy.rank);
  if (is_last && in_stride == 1 && out_stride == 1) {
    std::memcpy(out, in, extent);
    return;
  }
  for (size_t i = 0; i < extent; ++i) {
    if (is_last) {
      out[i * out_stride] = in[i * in_stride];
    } else {
      CopyDimension(copy, dimension + 1, in + i * in_stride, out + i * out_stride);
    }
  }
}

}  // namespace

std::array<size_t, kMaxRank> DenseStrides(const Shape& shape) {
  std::array<size_t, kMaxRank> strides = {};
  size_t stride = 1;
  for (size_t i = static_cast<size_t>(shape.rank); i-- > 0;) {
    strides[i] = stride;
    stride *= static_cast<size_t>(shape.dims[i]);
  }
  return strides;
}

void CopyStrided(const StridedCopy& copy, const uint8_t* in, uint8_t* out) {
  CopyDimension(copy, 0, in + copy.in_begin, out + copy.out_begin);
}

}  // namespace aq
