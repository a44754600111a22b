// SPDX-License-Identifier: Apache-2.0
#include "converter/ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/numerics.h"

namespace aq::converter {
void Histogram::Add(std::span<const float> values) {
  const float width = range.high - range.low;
  const float scale = width > 0 ? static_cast<float>(kHistogramBins) / width : 0;
  for (const float x : values) {
    if (x == 0) {
      ++zeros;
    } else {
      const float position = (x - range.low) * scale;
      const int bin = std::clamp(static_cast<int>(position), 0, static_cast<int>(kHistogramBins) - 1);
      ++bins[static_cast<size_t>(bin)];
    }
  }
}

void Histogram::Merge(const Histogram& other) {
  zeros += other.zeros;
  for (size_t i = 0; i < bins.size(); ++i) bins[i] += other.bins[i];
}

uint64_t Histogram::Total() const {
  uint64_t total = zeros;
  for (const uint64_t count : bins) total += count;
  return total;
}

float Histogram::Centre(size_t bin) const {
  return range.low + (range.high - range.low) * ((static_cast<float>(bin) + 0.5f) / static_cast<float>(kHistogramBins));
}

QuantParams ParamsFromRange(Range range, int bits) {
  const double low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  const int levels = MaxLevel(bits);
  QuantParams params{bits, 1, 0};
  const double scale = (high - low) / levels;
  if (scale < 1e-30) return params;
  params.scale = static_cast<float>(scale);
  params.zero_point = std::clamp(static_cast<int>(std::lround(-low / scale)), 0, levels);
  return params;
}

double QuantizationError(const Histogram& histogram, const QuantParams& params, double limit) {
  const double scale = params.scale;
  const double low = -scale * params.zero_point, high = scale * (MaxLevel(params.bits) - params.zero_point);
  double error = 0;
  for (size_t i = 0; i < kHistogramBins && error < limit; ++i) {
    if (histogram.bins[i] == 0) continue;
    const double x = histogram.Centre(i);
    const double rounded = std::clamp(std::floor(x / scale + 0.5) * scale, low, high);
    error += static_cast<double>(histogram.bins[i]) *
             static_cast<double>(std::pow(static_cast<float>(std::abs(x - rounded)), static_cast<float>(kErrorPower)));
  }
  return error;
}

QuantParams SearchParams(const Histogram& histogram, int bits, const RangeCost& cost) {
  const Range full{std::min(histogram.range.low, 0.0f), std::max(histogram.range.high, 0.0f)};
  Range best = full;
  double best_cost = std::numeric_limits<double>::infinity();
  const auto consider = [&](Range range) {
    const double value = cost(ParamsFromRange(range, bits), best_cost);
    if (value >= best_cost) return;
    best_cost = value;
    best = range;
  };
  // Both ends together from wide to narrow, so that of equal costs the widest range wins; then each end alone.
  for (int i = kSearchSteps; i > 0; --i) {
    const float ratio = static_cast<float>(i) / kSearchSteps;
    consider({full.low * ratio, full.high * ratio});
  }
  for (int round = 0; round < 2 && full.low < 0 && full.high > 0; ++round) {
    for (int i = kSearchSteps; i >= 0; --i) consider({best.low, full.high * static_cast<float>(i) / kSearchSteps});
    for (int i = kSearchSteps; i >= 0; --i) consider({full.low * static_cast<float>(i) / kSearchSteps, best.high});
  }
  return ParamsFromRange(best, bits);
}

Range PercentileRange(const Histogram& histogram, double percentile) {
  // The tail is split evenly when there are values on both sides of zero.
  const Range full = histogram.range;
  const bool has_both = full.low < 0 && full.high > 0;
  const double tail = static_cast<double>(histogram.Total()) * (1 - percentile / 100) / (has_both ? 2 : 1);
  const float bin_width = (full.high - full.low) / static_cast<float>(kHistogramBins);
  Range range{std::min(full.low, 0.0f), std::max(full.high, 0.0f)};
  double seen = 0;
  if (full.high > 0) {
    for (size_t i = kHistogramBins; i-- > 0 && range.high > 0;) {
      seen += static_cast<double>(histogram.bins[i]);
      if (seen > tail) break;
      range.high = std::max(0.0f, full.low + bin_width * static_cast<float>(i));
    }
  }
  seen = 0;
  if (full.low < 0) {
    for (size_t i = 0; i < kHistogramBins && range.low < 0; ++i) {
      seen += static_cast<double>(histogram.bins[i]);
      if (seen > tail) break;
      range.low = std::min(0.0f, full.low + bin_width * static_cast<float>(i + 1));
    }
  }
  return range;
}

QuantParams ChooseParams(const Histogram& histogram, Ranges method, int bits) {
  switch (method) {
    case Ranges::kMinMax:
      return ParamsFromRange(histogram.range, bits);
    case Ranges::kPercentile:
      return ParamsFromRange(PercentileRange(histogram, kPercentile), bits);
    case Ranges::kMse:
      return SearchParams(histogram, bits, [&](const QuantParams& params, double limit) {
        return QuantizationError(histogram, params, limit);
      });
    case Ranges::kCosine:
      return SearchParams(histogram, bits,
                          [&](const QuantParams& params, double) { return CosineDistance(histogram, params); });
    case Ranges::kAciq:
      return ParamsFromRange(AciqRange(histogram, bits), bits);
  }
  return {};
}

}  // namespace aq::converter
