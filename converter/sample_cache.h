// SPDX-License-Identifier: Apache-2.0
// All images' values of one tensor, as reconstruct.cc reads and writes them: in memory, or in a temporary file that has
// no name any more, mapped, where the caches together would exceed the budget. Numbers are the same either way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

// Outlives the caches made from it.
struct CacheBudget {
  size_t limit_bytes = 0;
  std::string folder;     // of the temporary files
  size_t used_bytes = 0;  // in memory, now
  size_t file_bytes = 0;  // in files, now
};

class SampleCache {
 public:
  SampleCache() = default;
  // Zeros. kIo if the folder cannot hold them: the space is reserved here, so that a full disk is an error and not a
  // signal later.
  static Result<SampleCache> Make(const Value& value, int64_t images, CacheBudget* budget);
  SampleCache(SampleCache&& other) noexcept;
  SampleCache& operator=(SampleCache&& other) noexcept;
  ~SampleCache();

  Shape shape;            // batch 1
  int64_t per_image = 0;  // elements

  Shape BatchShape(int64_t count) const {
    Shape batch = shape;
    batch[0] = count;
    return batch;
  }
  const float* At(int64_t image) const { return data_ + image * per_image; }
  float* At(int64_t image) { return data_ + image * per_image; }
  bool is_file() const { return is_file_; }

 private:
  Status Map(size_t bytes, CacheBudget* budget);
  void Release();

  float* data_ = nullptr;
  size_t bytes_ = 0;
  bool is_file_ = false;
  CacheBudget* budget_ = nullptr;
};

}  // namespace aq::converter
