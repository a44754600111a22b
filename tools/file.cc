// SPDX-License-Identifier: Apache-2.0
// Implements file.h.
#include "tools/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>

#ifdef AQ_HAVE_ZLIB
#include <zlib.h>
#endif

namespace aq::tools {

File::File(std::string path, int descriptor, uint64_t size)
    : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<File> File::Open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must fail below, not hang here.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return Error(Code::kIo, "%s: %s", path.c_str(), std::strerror(errno));
  struct stat info {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(descriptor);
    return Error(Code::kIo, "%s: not a regular file", path.c_str());
  }
  return File(path, descriptor, static_cast<uint64_t>(info.st_size));
}

Status File::ReadAt(uint64_t offset, uint64_t size, uint8_t* out) const {
  if (size > size_ || offset > size_ - size) {
    return Error(Code::kCorrupt, "%s: bytes %llu to %llu wanted, the file has %llu", path_.c_str(),
                 static_cast<unsigned long long>(offset), static_cast<unsigned long long>(offset + size),
                 static_cast<unsigned long long>(size_));
  }
  while (size > 0) {
    const ssize_t got =
        pread(descriptor_, out, static_cast<size_t>(std::min<uint64_t>(size, 1u << 30)), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error(Code::kIo, "%s: %s", path_.c_str(), std::strerror(errno));
    if (got == 0) return Error(Code::kIo, "%s: shorter than when it was opened", path_.c_str());
    out += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<uint64_t>(got);
  }
  return {};
}

Result<std::vector<uint8_t>> ReadWholeFile(const std::string& path, uint64_t max_bytes) {
  AQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  if (file.size() > max_bytes) {
    return Error(Code::kLimit, "%s: %llu bytes, at most %llu are read", path.c_str(),
                 static_cast<unsigned long long>(file.size()), static_cast<unsigned long long>(max_bytes));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
  AQ_RETURN_IF_ERROR(file.ReadAt(0, bytes.size(), bytes.data()));
  return bytes;
}

#ifdef AQ_HAVE_ZLIB
Result<std::vector<uint8_t>> ReadMaybeGzip(const std::string& path, uint64_t max_bytes) {
  AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> raw, ReadWholeFile(path, max_bytes));
  if (raw.size() < 2 || raw[0] != 0x1f || raw[1] != 0x8b) return raw;
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return Error(Code::kOutOfMemory, "%s: zlib cannot start", path.c_str());
  std::vector<uint8_t> bytes;
  stream.next_in = const_cast<uint8_t*>(raw.data());
  stream.avail_in = static_cast<uInt>(raw.size());
  int state = Z_OK;
  // Grown as the stream delivers: a header that promises much costs nothing.
  while (state == Z_OK && bytes.size() <= max_bytes) {
    const size_t begin = bytes.size();
    bytes.resize(begin + (1u << 20));
    stream.next_out = bytes.data() + begin;
    stream.avail_out = 1u << 20;
    state = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(bytes.size() - stream.avail_out);
    if (bytes.size() == begin && state == Z_OK) break;
  }
  inflateEnd(&stream);
  if (bytes.size() > max_bytes) {
    return Error(Code::kLimit, "%s: unpacks to more than %llu bytes", path.c_str(),
                 static_cast<unsigned long long>(max_bytes));
  }
  if (state != Z_STREAM_END) {
    return Error(Code::kCorrupt, "%s: gzip data damaged or cut short after %zu bytes", path.c_str(), bytes.size());
  }
  return bytes;
}
#else
Result<std::vector<uint8_t>> ReadMaybeGzip(const std::string& path, uint64_t max_bytes) {
  AQ_ASSIGN_OR_RETURN(std::vector<uint8_t> raw, ReadWholeFile(path, max_bytes));
  if (raw.size() >= 2 && raw[0] == 0x1f && raw[1] == 0x8b) {
    return Error(Code::kUnsupported, "%s: gzip, but this aq was built without zlib", path.c_str());
  }
  return raw;
}
#endif

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

namespace {

template <class T>
Result<T> ParseNumber(std::string_view text, const char* what) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(Code::kInvalidArgument, "%s: '%.*s' is not a number", what,
                 static_cast<int>(std::min<size_t>(text.size(), 64)), text.data());
  }
  return value;
}

}  // namespace

Result<int64_t> ParseInt(std::string_view text, const char* what) { return ParseNumber<int64_t>(text, what); }

Result<float> ParseFloat(std::string_view text, const char* what) {
  Result<float> value = ParseNumber<float>(text, what);
  if (value.ok() && !std::isfinite(value.value())) {
    return Error(Code::kInvalidArgument, "%s: must be finite", what);
  }
  return value;
}

}  // namespace aq::tools
