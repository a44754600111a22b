// SPDX-License-Identifier: Apache-2.0
// CPU time of the calling thread: what the machine's other jobs take is not in it. Everything single-threaded that
// aq_bench compares is timed with this one clock.
#pragma once

#include <cstdint>
#include <ctime>

namespace aq::bench {

inline uint64_t ThreadNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace aq::bench
