// SPDX-License-Identifier: Apache-2.0
// Implements statistics.h.
#include "bench/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace aq::bench {

Statistics Summarize(std::vector<uint64_t> nanoseconds) {
  assert(!nanoseconds.empty());
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const size_t n = nanoseconds.size();
  const auto milliseconds = [](uint64_t ns) { return static_cast<double>(ns) * 1e-6; };
  const auto percentile = [&](size_t percent) { return milliseconds(nanoseconds[(n * percent + 99) / 100 - 1]); };
  Statistics statistics{.min = milliseconds(nanoseconds.front()),
                        .median = percentile(50),
                        .p90 = percentile(90),
                        .p99 = percentile(99),
                        .max = milliseconds(nanoseconds.back())};
  double sum = 0, squares = 0;
  for (const uint64_t ns : nanoseconds) sum += milliseconds(ns);
  statistics.mean = sum / static_cast<double>(n);
  for (const uint64_t ns : nanoseconds) squares += std::pow(milliseconds(ns) - statistics.mean, 2);
  if (n > 1) statistics.sd = std::sqrt(squares / static_cast<double>(n - 1));
  return statistics;
}

}  // namespace aq::bench
