// SPDX-License-Identifier: Apache-2.0
// The constant memory of a session: packed weights, per-channel arrays and op states in one block. Ops take from it in
// the same order twice, first to measure, then for real, so that the sizes cannot disagree.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "platforms/memory.h"

namespace aq {

class ConstantMemory {
 public:
  ConstantMemory() = default;  // measures
  explicit ConstantMemory(AlignedBlock* block) : base_(block->data()), capacity_(block->size()) {}

  bool is_measuring() const { return base_ == nullptr; }
  uint64_t used() const { return used_; }

  // 64-byte aligned, zero-filled. While measuring the pointer is not null but must not be followed.
  template <class T>
  T* Take(uint64_t count) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    const uint64_t begin = used_;
    used_ += (count * sizeof(T) + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
    if (is_measuring()) return reinterpret_cast<T*>(uintptr_t{kMemoryAlignment});
    assert(used_ <= capacity_ && "measured less than is taken");
    return reinterpret_cast<T*>(base_ + begin);
  }

  template <class T>
  const T* Store(const T& value) {
    T* stored = Take<T>(1);
    if (!is_measuring()) *stored = value;
    return stored;
  }

 private:
  uint8_t* base_ = nullptr;
  uint64_t capacity_ = 0;
  uint64_t used_ = 0;
};

}  // namespace aq
