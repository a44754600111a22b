// SPDX-License-Identifier: Apache-2.0
#include "converter/weight_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "converter/ranges.h"
#include "converter/threads.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

// The values of a channel: scale * {low, low + step, ..., high}.
struct Grid {
  float scale = 1;
  int low = 0, high = 0;
  int step = 1;  // 2: the zero point may be odd, half a step
};

// In steps from the lowest value.
float Position(float weight, const Grid& grid) {
  return (weight / grid.scale - static_cast<float>(grid.low)) / static_cast<float>(grid.step);
}
int MaxIndex(const Grid& grid) { return (grid.high - grid.low) / grid.step; }

float Nearest(float weight, const Grid& grid) {
  const float index = std::floor(Position(weight, grid) + 0.5f);
  return static_cast<float>(grid.low) +
         static_cast<float>(grid.step) * std::clamp(index, 0.0f, static_cast<float>(MaxIndex(grid)));
}

// Sum of |w - w'|^2.4; gives up beyond `limit`.
double GridError(std::span<const float> weights, const Grid& grid, double limit) {
  double error = 0;
  for (size_t begin = 0; begin < weights.size() && error < limit; begin += 64) {
    const size_t end = std::min(begin + 64, weights.size());
    for (size_t i = begin; i < end; ++i) {
      const float distance = std::abs(weights[i] - Nearest(weights[i], grid) * grid.scale);
      error += static_cast<double>(std::pow(distance, static_cast<float>(kErrorPower)));
    }
  }
  return error;
}

// Codes with the least error answer too weakly: their part along the weights is short by the relative error (15 % at 2
// bits), layer after layer. This factor makes the response to the weights' own direction exact: <w, w> / <w, w'>.
float ResponseGain(std::span<const float> weights, const Grid& grid, std::span<const int> indices) {
  double square = 0, product = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double w = static_cast<double>(weights[i]);
    const float value = static_cast<float>(grid.low + grid.step * indices[i]);
    square += w * w;
    product += w * static_cast<double>(value * grid.scale);
  }
  return product > 0 ? static_cast<float>(std::clamp(square / product, 0.5, 2.0)) : 1.0f;
}

Grid SearchGrid(std::span<const float> weights, int bits, bool is_asymmetric, float min_scale) {
  const auto [min, max] = std::minmax_element(weights.begin(), weights.end());
  const float low = std::min(*min, 0.0f), high = std::max(*max, 0.0f);
  const int levels = MaxLevel(bits), half = 1 << (bits - 1);
  // Symmetric: 8 bits use +-127; fewer bits need every code they have.
  const int step = is_asymmetric && bits == 2 ? 2 : 1;
  const Grid symmetric{1, (bits == 8 && !is_asymmetric ? -half + 1 : -half) * step, (half - 1) * step, step};
  const float full_scale = is_asymmetric ? (high - low) / static_cast<float>(levels * step)
                                         : std::max(high, -low) / static_cast<float>(half - (bits == 8 ? 1 : 0));
  const float floor_scale = std::max(min_scale, 1e-20f);
  Grid best = symmetric;
  best.scale = std::max(full_scale, floor_scale);
  if (full_scale <= floor_scale) return best;
  double best_error = std::numeric_limits<double>::infinity();
  const auto consider = [&](const Grid& grid) {
    const double error = GridError(weights, grid, best_error);
    if (error >= best_error) return;
    best_error = error;
    best = grid;
  };
  // A symmetric low-bit grid reaches one step less on the positive side, so it starts wider.
  const float start = is_asymmetric || bits == 8 ? 1.0f : static_cast<float>(half) / static_cast<float>(half - 1);
  for (int i = kSearchSteps; i > 0; --i) {
    Grid grid = symmetric;
    grid.scale = std::max(full_scale * start * static_cast<float>(i) / kSearchSteps, floor_scale);
    if (!is_asymmetric) {
      consider(grid);
      continue;
    }
    // The zero point that fits the clipped range, and its neighbours: half steps, too, where they exist.
    const int centre = static_cast<int>(std::lround(-low * static_cast<float>(i) / kSearchSteps / grid.scale));
    for (int zero = std::max(0, centre - step); zero <= std::min(levels * step, centre + step); ++zero) {
      grid.low = -zero;
      grid.high = levels * step - zero;
      consider(grid);
    }
  }
  return best;
}

}  // namespace

QuantizedWeights QuantizeWeights(std::span<const float> weights, size_t channels, int bits, bool is_asymmetric,
                                 std::span<const float> min_scale, int num_threads, const WeightRule& rule) {
  const size_t per_channel = weights.size() / channels;
  const int half = 1 << (bits - 1);
  QuantizedWeights result{
      bits, std::vector<int8_t>(weights.size()), std::vector<int8_t>(channels), std::vector<float>(channels), {}};
  if (bits == 2 && is_asymmetric) result.codebook = {0, 2, -4, -2};
  ParallelFor(channels, num_threads, [&](size_t n) {
    const std::span<const float> row = weights.subspan(n * per_channel, per_channel);
    const Grid grid = SearchGrid(row, bits, is_asymmetric, min_scale[n]);
    // The lowest code means the lowest value; symmetric 8 bits leave the code -128 unused.
    const int zero_point = is_asymmetric ? -half * grid.step - grid.low : 0;
    result.scale[n] = grid.scale;
    result.zero_point[n] = static_cast<int8_t>(zero_point);
    std::vector<int> indices(per_channel);
    for (size_t i = 0; i < per_channel; ++i)
      indices[i] = (static_cast<int>(Nearest(row[i], grid)) - grid.low) / grid.step;
    if (rule.squant) {
      std::vector<float> positions(per_channel);
      for (size_t i = 0; i < per_channel; ++i) positions[i] = Position(row[i], grid);
      CancelRoundingErrors(positions, MaxIndex(grid), *rule.squant, indices);
    }
    for (size_t i = 0; i < per_channel; ++i)
      result.codes[n * per_channel + i] =
          static_cast<int8_t>((grid.low + grid.step * indices[i] + zero_point) / grid.step);
    if (bits <= 4 && rule.scale == WeightScale::kMatchResponse) result.scale[n] *= ResponseGain(row, grid, indices);
  });
  return result;
}

std::vector<uint8_t> PackCodes(const std::vector<int8_t>& codes, int bits) {
  std::vector<uint8_t> packed((codes.size() * static_cast<size_t>(bits) + 7) / 8);
  for (size_t i = 0; i < codes.size(); ++i)
    SetCodeAt(packed.data(), i, bits, static_cast<uint8_t>(static_cast<uint8_t>(codes[i]) & MaxLevel(bits)));
  return packed;
}

}  // namespace aq::converter
