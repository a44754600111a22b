// SPDX-License-Identifier: Apache-2.0
// ACIQ (1810.05723): for a Laplace distribution of mean deviation b the clip a minimises 2 b^2 exp(-a / b), what is cut
// off, plus a^2 / (3 * 4^bits), what rounding costs. The derivative is zero where t exp(t) = 3 * 4^bits, t = a / b.
#include <algorithm>
#include <cmath>

#include "converter/ranges.h"

namespace aq::converter {
namespace {

// Lambert's W for large arguments, by Newton's method on t + log(t) = log(x).
double ClipInDeviations(int bits) {
  const double log_x = std::log(3.0) + bits * std::log(4.0);
  double t = log_x;
  for (int i = 0; i < 20; ++i) t -= (t + std::log(t) - log_x) / (1 + 1 / t);
  return t;
}

}  // namespace

Range AciqRange(const Histogram& histogram, int bits) {
  const Range full{std::min(histogram.range.low, 0.0f), std::max(histogram.range.high, 0.0f)};
  // After a ReLU only one side is left, of a distribution around zero: zeros are its other side.
  const bool is_one_sided = full.low == 0 || full.high == 0;
  double count = is_one_sided ? 0 : static_cast<double>(histogram.zeros), sum = 0, deviation = 0;
  for (size_t i = 0; i < kHistogramBins; ++i) {
    count += static_cast<double>(histogram.bins[i]);
    sum += static_cast<double>(histogram.bins[i]) * static_cast<double>(histogram.Centre(i));
  }
  if (count == 0) return full;
  const double mean = is_one_sided ? 0 : sum / count;
  for (size_t i = 0; i < kHistogramBins; ++i)
    deviation += static_cast<double>(histogram.bins[i]) * std::abs(static_cast<double>(histogram.Centre(i)) - mean);
  if (!is_one_sided) deviation += static_cast<double>(histogram.zeros) * std::abs(mean);
  const double clip = deviation / count * ClipInDeviations(is_one_sided ? bits + 1 : bits);
  return {std::max(full.low, static_cast<float>(mean - clip)), std::min(full.high, static_cast<float>(mean + clip))};
}

}  // namespace aq::converter
