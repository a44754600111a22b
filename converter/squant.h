// SPDX-License-Identifier: Apache-2.0
// SQuant (ICLR 2022): weights rounded without data so that rounding errors nearly cancel, in every kernel and in every
// output channel, by flipping the codes that cost least. Called by weight_quantizer.cc; knows one channel at a time.
#pragma once

#include <cstddef>
#include <span>

namespace aq::converter {

// Where a kernel's taps lie in a channel's row.
struct KernelLayout {
  size_t taps = 1;
  bool is_tap_major = false;  // [tap][k], the file's order; else [k][tap], the graph's
};

// positions: weights in steps of the grid, 0 .. max_index where it ends. indices: their nearest codes, in and out.
void CancelRoundingErrors(std::span<const float> positions, int max_index, const KernelLayout& layout,
                          std::span<int> indices);

}  // namespace aq::converter
