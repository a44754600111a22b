// SPDX-License-Identifier: Apache-2.0
// Aligned floats that grow and never shrink: what the tape keeps from one iteration to the next. Not initialised.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace aq::converter::training {

class Buffer {
 public:
  // At least `count` floats, 64-byte aligned; contents are undefined after growth.
  float* Resize(size_t count) {
    if (count > capacity_) {
      const size_t bytes = (count * sizeof(float) + 127) / 64 * 64;
      floats_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
      if (!floats_) throw std::bad_alloc();
      capacity_ = count;
    }
    return floats_.get();
  }
  float* data() const { return floats_.get(); }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(float* floats) const { std::free(floats); }
  };
  std::unique_ptr<float[], Free> floats_;
  size_t capacity_ = 0;
};

}  // namespace aq::converter::training
