// SPDX-License-Identifier: Apache-2.0
#include "converter/squant.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace aq::converter {
namespace {

struct Row {
  std::span<const float> positions;
  int max_index;
  std::span<int> indices;

  // Code less weight; what clipping cuts off is no rounding error.
  double Error(size_t i) const {
    return indices[i] - static_cast<double>(std::clamp(positions[i], 0.0f, static_cast<float>(max_index)));
  }
  bool CanMove(size_t i, int direction) const { return direction > 0 ? indices[i] < max_index : indices[i] > 0; }
};

// The element whose move by `direction` costs least: its error is the largest the other way. -1 if none can move.
int64_t Cheapest(const Row& row, std::span<const size_t> elements, int direction) {
  int64_t best = -1;
  double best_gain = 0;
  for (const size_t i : elements) {
    const double gain = -direction * row.Error(i);
    if (!row.CanMove(i, direction) || gain <= best_gain) continue;
    best = static_cast<int64_t>(i);
    best_gain = gain;
  }
  return best;
}

double Sum(const Row& row, std::span<const size_t> elements) {
  double sum = 0;
  for (const size_t i : elements) sum += row.Error(i);
  return sum;
}

}  // namespace

void CancelRoundingErrors(std::span<const float> positions, int max_index, const KernelLayout& layout,
                          std::span<int> indices) {
  Row row{positions, max_index, indices};
  const size_t kernels = positions.size() / layout.taps;
  std::vector<std::vector<size_t>> elements(kernels);
  std::vector<double> sums(kernels);
  double total = 0;
  for (size_t k = 0; k < kernels; ++k) {
    for (size_t t = 0; t < layout.taps; ++t)
      elements[k].push_back(layout.is_tap_major ? t * kernels + k : k * layout.taps + t);
    sums[k] = Sum(row, elements[k]);
    const int direction = sums[k] > 0 ? -1 : 1;
    for (long flips = std::lround(std::abs(sums[k])); flips > 0; --flips) {
      const int64_t i = Cheapest(row, elements[k], direction);
      if (i < 0) break;
      indices[static_cast<size_t>(i)] += direction;
      sums[k] += direction;
    }
    total += sums[k];
  }
  // The channel: at most one flip in a kernel, where it brings the kernel's own sum nearest to the other side.
  const int direction = total > 0 ? -1 : 1;
  std::vector<size_t> order(kernels);
  for (size_t k = 0; k < kernels; ++k) order[k] = k;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return -direction * sums[a] > -direction * sums[b]; });
  long flips = std::lround(std::abs(total));
  for (const size_t k : order) {
    if (flips == 0 || -direction * sums[k] <= 0) break;
    const int64_t i = Cheapest(row, elements[k], direction);
    if (i < 0) continue;
    indices[static_cast<size_t>(i)] += direction;
    --flips;
  }
}

}  // namespace aq::converter
