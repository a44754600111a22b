// SPDX-License-Identifier: Apache-2.0
// parallel.h over pthreadpool. The scheduler is given one item per thread ("slot"); each slot takes indices from a
// shared counter. So slots balance themselves, and a slot number names scratch memory nobody else uses meanwhile.
#include "platforms/parallel.h"

#include <pthread.h>
#include <pthreadpool.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

namespace aq {

struct Parallel::Impl {
  int num_threads = 1;
  pthreadpool_t pool = nullptr;
  ExternalFor external = nullptr;
  void* external_user = nullptr;
  bool is_awake = false;  // the pool's threads spin
};

namespace {

struct Loop {
  Parallel::Task task;
  void* context;
  size_t count;
  std::atomic<size_t> next{0};
};

void RunSlot(void* context, size_t slot) {
  Loop& loop = *static_cast<Loop*>(context);
  for (;;) {
    const size_t index = loop.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= loop.count) return;
    loop.task(loop.context, index, slot);
  }
}

// pthreadpool_create waits for ever when a thread cannot be started, so count first how many the system grants.
int GrantedThreads(int wanted) {
  struct Gate {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  } gate;
  const auto threads = std::unique_ptr<pthread_t[]>(new (std::nothrow) pthread_t[static_cast<size_t>(wanted)]);
  if (threads == nullptr) return 0;
  int granted = 0;
  pthread_mutex_lock(&gate.mutex);
  for (; granted < wanted; ++granted) {
    const auto wait = [](void* argument) -> void* {
      Gate* held = static_cast<Gate*>(argument);
      pthread_mutex_lock(&held->mutex);
      pthread_mutex_unlock(&held->mutex);
      return nullptr;
    };
    if (pthread_create(&threads[static_cast<size_t>(granted)], nullptr, wait, &gate) != 0) break;
  }
  pthread_mutex_unlock(&gate.mutex);
  for (int i = 0; i < granted; ++i) pthread_join(threads[static_cast<size_t>(i)], nullptr);
  return granted;
}

}  // namespace

Parallel::Parallel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::unique_ptr<Parallel> Parallel::Create(int num_threads) {
  auto impl = std::unique_ptr<Impl>(new (std::nothrow) Impl);
  if (impl == nullptr) return nullptr;
  if (num_threads > 1) {
    const int threads = 1 + GrantedThreads(num_threads - 1);
    if (threads > 1) impl->pool = pthreadpool_create(static_cast<size_t>(threads));
    if (impl->pool != nullptr) impl->num_threads = threads;
  }
  return std::unique_ptr<Parallel>(new (std::nothrow) Parallel(std::move(impl)));
}

std::unique_ptr<Parallel> Parallel::CreateExternal(ExternalFor function, void* user, int num_threads) {
  auto impl = std::unique_ptr<Impl>(new (std::nothrow) Impl);
  if (impl == nullptr) return nullptr;
  impl->num_threads = std::max(num_threads, 1);
  impl->external = function;
  impl->external_user = user;
  return std::unique_ptr<Parallel>(new (std::nothrow) Parallel(std::move(impl)));
}

Parallel::~Parallel() {
  if (impl_ != nullptr && impl_->pool != nullptr) pthreadpool_destroy(impl_->pool);
}

int Parallel::num_threads() const { return impl_->num_threads; }

void Parallel::For(size_t count, Task task, void* context) {
  const size_t slots = std::min(count, static_cast<size_t>(impl_->num_threads));
  if (slots <= 1) {
    for (size_t i = 0; i < count; ++i) task(context, i, 0);
    return;
  }
  Loop loop{task, context, count};
  if (impl_->external != nullptr) {
    impl_->external(impl_->external_user, slots, RunSlot, &loop);
  } else {
    pthreadpool_parallelize_1d(impl_->pool, RunSlot, &loop, slots, 0);
    impl_->is_awake = true;
  }
}

// The pool takes the flag with work only: no indices for anyone.
void Parallel::Rest() {
  if (!std::exchange(impl_->is_awake, false)) return;
  Loop nothing{nullptr, nullptr, 0};
  const size_t slots = static_cast<size_t>(impl_->num_threads);
  pthreadpool_parallelize_1d(impl_->pool, RunSlot, &nothing, slots, PTHREADPOOL_FLAG_YIELD_WORKERS);
}

}  // namespace aq
