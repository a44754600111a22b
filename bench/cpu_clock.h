// SPDX-License-Identifier: Apache-2.0
// CPU time: what the machine's other jobs take is not in it. Everything single-threaded that aq_bench compares is timed
// with the calling thread's.
#pragma once

#include <cstdint>
#include <ctime>

namespace aq::bench {

inline uint64_t CpuNanoseconds(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}
inline uint64_t ThreadNanoseconds() { return CpuNanoseconds(CLOCK_THREAD_CPUTIME_ID); }
inline uint64_t ProcessNanoseconds() { return CpuNanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace aq::bench
