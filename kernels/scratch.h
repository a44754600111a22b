// SPDX-License-Identifier: Apache-2.0
// What a driver lays out in the scratch memory of a thread, part after part.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aq {

class ScratchLayout {
 public:
  static constexpr size_t kAlignment = 64;
  // `memory` aligned to it, or null to count bytes only.
  explicit ScratchLayout(void* memory) : begin_(reinterpret_cast<uintptr_t>(memory)) {}
  template <class T>
  T* Take(size_t count) {
    T* const taken = reinterpret_cast<T*>(begin_ + bytes_);
    bytes_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return taken;
  }
  size_t bytes() const { return bytes_; }

 private:
  uintptr_t begin_;
  size_t bytes_ = 0;
};

}  // namespace aq
