// SPDX-License-Identifier: Apache-2.0
// EasyQuant (2006.16669) compares layer outputs; here the tensor itself is compared, so that ranges need no second
// pass. The measure ignores length: at few bits it prefers narrower ranges than the squared error.
#include <algorithm>
#include <cmath>

#include "converter/ranges.h"
#include "kernels/numerics.h"

namespace aq::converter {

double CosineDistance(const Histogram& histogram, const QuantParams& params) {
  const double scale = params.scale;
  const double low = -scale * params.zero_point, high = scale * (MaxLevel(params.bits) - params.zero_point);
  double product = 0, square = 0, rounded_square = 0;
  for (size_t i = 0; i < kHistogramBins; ++i) {
    if (histogram.bins[i] == 0) continue;
    const double count = static_cast<double>(histogram.bins[i]), x = histogram.Centre(i);
    const double rounded = std::clamp(std::floor(x / scale + 0.5) * scale, low, high);
    product += count * x * rounded;
    square += count * x * x;
    rounded_square += count * rounded * rounded;
  }
  return product > 0 ? 1 - product / std::sqrt(square * rounded_square) : 1;
}

}  // namespace aq::converter
