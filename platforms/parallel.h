// SPDX-License-Identifier: Apache-2.0
// ParallelFor over pthreadpool or the caller's own pool. One thread is a plain loop: no pool is made.
#pragma once

#include <cstddef>
#include <memory>

namespace aq {

class Parallel {
 public:
  using Task = void (*)(void* context, size_t index, size_t thread);
  // The caller's scheduler: must run task(context, i) for every i < count and return when all are done.
  using ExternalFor = void (*)(void* user, size_t count, void (*task)(void* context, size_t index), void* context);

  // Makes at most num_threads - 1 extra threads; fewer (down to none) if the system refuses: same results.
  static std::unique_ptr<Parallel> Create(int num_threads);
  static std::unique_ptr<Parallel> CreateExternal(ExternalFor function, void* user, int num_threads);
  ~Parallel();
  int num_threads() const;
  // Runs task(context, i, thread) for i in [0, count), thread in [0, num_threads()): the index of scratch memory.
  // Allocates nothing. Afterwards threads of ours spin for the next call: waking them for every layer of a network
  // would take longer than many a layer. Rest() when none follows.
  void For(size_t count, Task task, void* context);
  // Threads sleep until the next For().
  void Rest();

 private:
  struct Impl;
  explicit Parallel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aq
