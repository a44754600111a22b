// SPDX-License-Identifier: Apache-2.0
// Aligned blocks and whole files in memory. Nothing here throws; a failed allocation is a null block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace aq {

inline constexpr size_t kMemoryAlignment = 64;

// Owns `size` bytes at a 64-byte boundary.
class AlignedBlock {
 public:
  AlignedBlock() = default;
  AlignedBlock(AlignedBlock&& other) noexcept;
  AlignedBlock& operator=(AlignedBlock&& other) noexcept;
  ~AlignedBlock();
  static AlignedBlock Allocate(size_t size);  // zero-filled; data() is null when memory is short
  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// A file's bytes: read into the heap (default), or mapped read-only (opt-in: the file must not be truncated meanwhile).
class FileBytes {
 public:
  FileBytes() = default;
  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;
  ~FileBytes();
  // errno on failure (0 = ok); EFBIG when larger than max_size. Regular files only (EISDIR, EINVAL otherwise).
  static int Read(const char* path, uint64_t max_size, FileBytes* out);
  static int Map(const char* path, uint64_t max_size, FileBytes* out);
  static int ReadDescriptor(int fd, uint64_t offset, uint64_t length, uint64_t max_size, FileBytes* out);
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool is_mapped_ = false;
  AlignedBlock block_;
};

}  // namespace aq
