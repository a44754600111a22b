// SPDX-License-Identifier: Apache-2.0
// The inner loops of the fake quantiser over one run of elements that share a Grid. No threads, no allocation.
#pragma once

#include <cstdint>

#include "converter/training/border.h"

namespace aq::converter::training {

inline constexpr int64_t kQuantizeBlock = 256;  // longest run of BackwardBlock

struct QuantizeShared {  // the same for all channels
  float step;
  int32_t zero_point, max_level, border_shift;
  bool is_affine, is_free;
  float window;  // T of the windowed surrogate; 0: straight-through
};

// out = keep ? step * (code - zero_point) : x
void QuantizeForward(const float* x, const uint8_t* keep, int64_t count, const Grid& grid, const QuantizeShared& shared,
                     float* out);

// Per element: the gradient to x, and the terms of d loss / d step and d loss / d B. border_cell is the entry of a free
// border that the term belongs to.
struct BackwardBlock {
  float dx[kQuantizeBlock], step_term[kQuantizeBlock], border_term[kQuantizeBlock];
  int32_t border_cell[kQuantizeBlock];
};
void QuantizeBackward(const float* x, const uint8_t* keep, const float* gradient, int64_t count, const Grid& grid,
                      const QuantizeShared& shared, BackwardBlock* block);

}  // namespace aq::converter::training
