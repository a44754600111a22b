// SPDX-License-Identifier: Apache-2.0
// Reading regular files with checked sizes: whole, in part, or gzip-compressed. Used by the dataset readers; knows no
// format. Every message names the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/status.h"

namespace aq::tools {

inline constexpr uint64_t kMaxDatasetFileBytes = uint64_t{2} << 30;

// An open regular file. ReadAt is safe from several threads (pread).
class File {
 public:
  static Result<File> Open(const std::string& path);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();
  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // kCorrupt if [offset, offset + size) is not inside the file.
  Status ReadAt(uint64_t offset, uint64_t size, uint8_t* out) const;

 private:
  File(std::string path, int descriptor, uint64_t size);
  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// kLimit if the file is larger than max_bytes.
Result<std::vector<uint8_t>> ReadWholeFile(const std::string& path, uint64_t max_bytes);
// The contents of a gzip file, or of a plain file as it is. kLimit beyond max_bytes, kCorrupt if cut short.
Result<std::vector<uint8_t>> ReadMaybeGzip(const std::string& path, uint64_t max_bytes);

std::vector<std::string> Split(std::string_view text, char separator);
// The whole of `text` as a number; kInvalidArgument naming `what` otherwise. Independent of the locale.
Result<int64_t> ParseInt(std::string_view text, const char* what);
Result<float> ParseFloat(std::string_view text, const char* what);

}  // namespace aq::tools
