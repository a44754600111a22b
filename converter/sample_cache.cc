// SPDX-License-Identifier: Apache-2.0
#include "converter/sample_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace aq::converter {
namespace {

Status FileError(const std::string& folder, size_t bytes, int error) {
  return Error(Code::kIo, "%s: cannot reserve %zu MiB for the values of calibration images: %s (see --max-memory)",
               folder.c_str(), bytes >> 20, std::strerror(error));
}

// A file without a name: it goes away with the process, however that ends.
Result<int> OpenUnnamed(const CacheBudget& budget, size_t bytes) {
  std::string path = budget.folder + "/.aq-cache-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return FileError(budget.folder, bytes, errno);
  unlink(path.c_str());
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes)); error != 0) {
    close(fd);
    return FileError(budget.folder, bytes, error);
  }
  return fd;
}

}  // namespace

Result<SampleCache> SampleCache::Make(const Value& value, int64_t images, CacheBudget* budget) {
  SampleCache cache;
  cache.shape = value.shape;
  cache.per_image = Elements(value.shape);
  AQ_RETURN_IF_ERROR(cache.Map(static_cast<size_t>(cache.per_image * images) * sizeof(float), budget));
  return cache;
}

Status SampleCache::Map(size_t bytes, CacheBudget* budget) {
  if (bytes == 0) return {};
  void* address = MAP_FAILED;
  is_file_ = budget->used_bytes + bytes > budget->limit_bytes;
  if (is_file_) {
    AQ_ASSIGN_OR_RETURN(const int fd, OpenUnnamed(*budget, bytes));
    address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
  } else {
    address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  if (address == MAP_FAILED)
    return Error(Code::kOutOfMemory, "no memory for %zu MiB of values of calibration images: %s (see --max-memory)",
                 bytes >> 20, std::strerror(errno));
  data_ = static_cast<float*>(address);
  bytes_ = bytes;
  budget_ = budget;
  (is_file_ ? budget->file_bytes : budget->used_bytes) += bytes;
  return {};
}

void SampleCache::Release() {
  if (!data_) return;
  munmap(data_, bytes_);
  (is_file_ ? budget_->file_bytes : budget_->used_bytes) -= bytes_;
  data_ = nullptr;
}

SampleCache::SampleCache(SampleCache&& other) noexcept { *this = std::move(other); }

SampleCache& SampleCache::operator=(SampleCache&& other) noexcept {
  if (this == &other) return *this;
  Release();
  shape = std::move(other.shape);
  per_image = other.per_image;
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = other.bytes_;
  is_file_ = other.is_file_;
  budget_ = other.budget_;
  return *this;
}

SampleCache::~SampleCache() { Release(); }

}  // namespace aq::converter
