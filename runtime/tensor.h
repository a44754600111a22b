// SPDX-License-Identifier: Apache-2.0
// A tensor of a validated model: shape, quantisation, and its size in memory. Made by validate_tensors.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/numerics.h"
#include "runtime/limits.h"

namespace aq {

struct Shape {
  int rank = 0;
  std::array<int32_t, kMaxRank> dims = {};

  bool operator==(const Shape&) const = default;
  std::span<const int32_t> span() const { return {dims.data(), static_cast<size_t>(rank)}; }
  int32_t channels() const { return dims[static_cast<size_t>(rank - 1)]; }
};

// [1, h, w, c], or [1, c] read as a 1x1 image.
struct Image {
  int32_t h = 1, w = 1, c = 1;
};

struct Tensor {
  const char* name = "";  // in the model's metadata, like `thresholds`
  Shape shape;
  float scale = 1;
  int32_t zero_point = 0;
  Rounding rounding;                     // bits and borders
  std::span<const uint16_t> thresholds;  // empty or [channels][3]
  uint64_t elements = 0;
  size_t bytes = 0;  // in memory: a byte per code, four when bits = 32

  int bits() const { return rounding.bits; }
  bool is_wide() const { return rounding.bits == 32; }
  int32_t channels() const { return shape.channels(); }
  int32_t max_code() const { return MaxLevel(rounding.bits); }
  // Largest |code - zero point|.
  int32_t max_deviation() const {
    const int32_t above = max_code() - zero_point;
    return above > zero_point ? above : zero_point;
  }
};

}  // namespace aq
