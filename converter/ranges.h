// SPDX-License-Identifier: Apache-2.0
// From the distribution of one tensor to its scale and zero point: min-max, percentile, analytic (ACIQ), or the clip
// range with the least L2.4 error or the largest cosine similarity. Pure functions over histograms filled by
// calibrate.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "converter/convert.h"

namespace aq::converter {

struct Range {
  float low = 0, high = 0;
};

// real = scale * (code - zero_point), codes 0 .. 2^bits - 1.
struct QuantParams {
  int bits = 8;
  float scale = 1;
  int zero_point = 0;
};

inline constexpr size_t kHistogramBins = 2048;
inline constexpr double kPercentile = 99.99;
inline constexpr double kErrorPower = 2.4;  // QDrop and BRECQ search activation and weight ranges with this norm
inline constexpr int kSearchSteps = 100;    // clip ratios tried

// Counts of values between the extremes found by a first pass; exact zeros apart, since they never have an error.
struct Histogram {
  Range range;
  uint64_t zeros = 0;
  std::vector<uint64_t> bins = std::vector<uint64_t>(kHistogramBins);

  void Add(std::span<const float> values);
  void Merge(const Histogram& other);  // same range
  uint64_t Total() const;
  float Centre(size_t bin) const;
};

// The range widened to contain 0, with 0 exact: zero_point = 0 when low >= 0. Never a zero or denormal scale.
QuantParams ParamsFromRange(Range range, int bits);
// Error of the codes of all counted values, sum |x - x'|^2.4; stops counting beyond `limit`.
double QuantizationError(const Histogram& histogram, const QuantParams& params, double limit);

// 1 - cosine of the values and their codes: EasyQuant's criterion, on the tensor itself. ranges_cosine.cc
double CosineDistance(const Histogram& histogram, const QuantParams& params);

// Cost of a candidate; may stop and return anything not below `limit` once it is reached.
using RangeCost = std::function<double(const QuantParams&, double limit)>;
// The cheapest of kSearchSteps clip ratios for both ends together, then for each end.
QuantParams SearchParams(const Histogram& histogram, int bits, const RangeCost& cost);

// The clip with the least expected squared error if values are Laplace distributed (ACIQ). ranges_aciq.cc
Range AciqRange(const Histogram& histogram, int bits);
Range PercentileRange(const Histogram& histogram, double percentile);
QuantParams ChooseParams(const Histogram& histogram, Ranges method, int bits);

}  // namespace aq::converter
