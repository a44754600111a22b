// SPDX-License-Identifier: Apache-2.0
// A parallel loop for the converter's own work (calibration, weight search, simulation). Results must not depend on
// the order of the tasks. Not the runtime's pool (platforms/parallel.h): here tasks may allocate.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace aq::converter {

// Runs task(i) for every i < count on up to num_threads threads.
template <class Task>
void ParallelFor(size_t count, int num_threads, const Task& task) {
  const size_t extra = num_threads > 1 && count > 1 ? static_cast<size_t>(num_threads) - 1 : 0;
  if (extra == 0) {
    for (size_t i = 0; i < count; ++i) task(i);
    return;
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) task(i);
  };
  std::vector<std::jthread> threads;
  for (size_t t = 0; t < extra && t + 1 < count; ++t) threads.emplace_back(work);
  work();
}

}  // namespace aq::converter
