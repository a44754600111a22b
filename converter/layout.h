// SPDX-License-Identifier: Apache-2.0
// NCHW (the float graph) to channels last (the file): shapes, axes, permutations. Ranks other than 4 stay as they are.
#pragma once

#include <cstdint>
#include <vector>

#include "converter/graph.h"

namespace aq::converter {

// Channels-last dimension i is NCHW dimension kToNchw[i]; NCHW dimension i is channels-last dimension kToLast[i].
inline constexpr int kToNchw[4] = {0, 2, 3, 1};
inline constexpr int kToLast[4] = {0, 3, 1, 2};

template <class T>
std::vector<int32_t> ChannelsLast(const std::vector<T>& per_dimension) {
  std::vector<int32_t> result(per_dimension.begin(), per_dimension.end());
  if (result.size() == 4)
    for (size_t i = 0; i < 4; ++i) result[i] = static_cast<int32_t>(per_dimension[static_cast<size_t>(kToNchw[i])]);
  return result;
}

inline int32_t AxisChannelsLast(int64_t axis, size_t rank) {
  if (axis < 0) axis += static_cast<int64_t>(rank);
  return rank == 4 ? kToLast[axis] : static_cast<int32_t>(axis);
}

// Output dimension i of the NCHW transpose is input dimension p[i]; the same for channels-last tensors.
inline std::vector<int32_t> PermutationChannelsLast(const std::vector<int64_t>& p) {
  std::vector<int32_t> result(p.begin(), p.end());
  if (p.size() == 4)
    for (size_t i = 0; i < 4; ++i) result[i] = kToLast[p[static_cast<size_t>(kToNchw[i])]];
  return result;
}

// Same bytes in both orders.
inline bool IsOrderFree(const Shape& shape) { return shape.size() != 4 || shape[1] == 1 || shape[2] * shape[3] == 1; }

}  // namespace aq::converter
