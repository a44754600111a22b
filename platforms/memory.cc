// SPDX-License-Identifier: Apache-2.0
// POSIX implementation of memory.h. Files are checked before and after reading: a file that changes its size while it
// is read is an error, never a half-read model.
#include "platforms/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

namespace aq {
namespace {

class Descriptor {
 public:
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below.
  explicit Descriptor(const char* path) : fd_(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

int RegularFileSize(int fd, uint64_t* size) {
  struct stat info;
  if (fstat(fd, &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (!S_ISREG(info.st_mode)) return EINVAL;
  *size = static_cast<uint64_t>(info.st_size);
  return 0;
}

int CheckSize(uint64_t size, uint64_t max_size) {
  return size > max_size || size > std::numeric_limits<size_t>::max() / 2 ? EFBIG : 0;
}

int ReadFully(int fd, uint64_t offset, uint8_t* out, size_t size) {
  while (size > 0) {
    const ssize_t got = pread(fd, out, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EIO;  // shorter than fstat said
    out += got;
    size -= static_cast<size_t>(got);
    offset += static_cast<uint64_t>(got);
  }
  return 0;
}

}  // namespace

AlignedBlock::AlignedBlock(AlignedBlock&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

AlignedBlock& AlignedBlock::operator=(AlignedBlock&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AlignedBlock::~AlignedBlock() { std::free(data_); }

AlignedBlock AlignedBlock::Allocate(size_t size) {
  AlignedBlock block;
  const size_t bytes = size == 0 ? 1 : size;  // null means failure, so an empty block is still an address
  void* data = nullptr;
  if (posix_memalign(&data, kMemoryAlignment, bytes) != 0) return block;
  std::memset(data, 0, bytes);
  block.data_ = static_cast<uint8_t*>(data);
  block.size_ = size;
  return block;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      is_mapped_(std::exchange(other.is_mapped_, false)),
      block_(std::move(other.block_)) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(is_mapped_, other.is_mapped_);
  block_ = std::move(other.block_);
  return *this;
}

FileBytes::~FileBytes() {
  if (is_mapped_) munmap(const_cast<uint8_t*>(data_), size_);
}

int FileBytes::ReadDescriptor(int fd, uint64_t offset, uint64_t length, uint64_t max_size, FileBytes* out) {
  uint64_t before = 0, after = 0;
  if (const int error = RegularFileSize(fd, &before)) return error;
  if (offset > before || length > before - offset) return EINVAL;
  if (const int error = CheckSize(length, max_size)) return error;
  FileBytes bytes;
  bytes.block_ = AlignedBlock::Allocate(static_cast<size_t>(length));
  if (bytes.block_.data() == nullptr) return ENOMEM;
  if (const int error = ReadFully(fd, offset, bytes.block_.data(), static_cast<size_t>(length))) return error;
  if (const int error = RegularFileSize(fd, &after)) return error;
  if (after != before) return EIO;
  bytes.data_ = bytes.block_.data();
  bytes.size_ = static_cast<size_t>(length);
  *out = std::move(bytes);
  return 0;
}

int FileBytes::Read(const char* path, uint64_t max_size, FileBytes* out) {
  const Descriptor descriptor(path);
  if (descriptor.get() < 0) return errno;
  uint64_t size = 0;
  if (const int error = RegularFileSize(descriptor.get(), &size)) return error;
  return ReadDescriptor(descriptor.get(), 0, size, max_size, out);
}

int FileBytes::Map(const char* path, uint64_t max_size, FileBytes* out) {
  const Descriptor descriptor(path);
  if (descriptor.get() < 0) return errno;
  uint64_t size = 0;
  if (const int error = RegularFileSize(descriptor.get(), &size)) return error;
  if (const int error = CheckSize(size, max_size)) return error;
  if (size == 0) return ReadDescriptor(descriptor.get(), 0, 0, max_size, out);  // nothing to map
  void* data = mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (data == MAP_FAILED) return errno;
  FileBytes bytes;
  bytes.data_ = static_cast<const uint8_t*>(data);
  bytes.size_ = static_cast<size_t>(size);
  bytes.is_mapped_ = true;
  *out = std::move(bytes);
  return 0;
}

}  // namespace aq
