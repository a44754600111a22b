// SPDX-License-Identifier: Apache-2.0
// Summary of a run's latencies.
#pragma once

#include <cstdint>
#include <vector>

namespace aq::bench {

struct Statistics {  // milliseconds
  double min = 0, mean = 0, median = 0, p90 = 0, p99 = 0, max = 0;
  double sd = 0;  // of the sample (n - 1); 0 for one run
};

// Percentiles by nearest rank: always a latency that was measured. `nanoseconds` is not empty.
Statistics Summarize(std::vector<uint64_t> nanoseconds);

}  // namespace aq::bench
