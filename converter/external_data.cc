// SPDX-License-Identifier: Apache-2.0
#include "converter/external_data.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <vector>

namespace aq::converter {
namespace {

// O_NONBLOCK: opening a FIFO must fail the regular-file check, not wait for a writer.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::vector<std::string> Components(const std::string& location) {
  std::vector<std::string> components;
  size_t begin = 0;
  while (begin <= location.size()) {
    const size_t end = std::min(location.find('/', begin), location.size());
    if (const std::string part = location.substr(begin, end - begin); !part.empty() && part != ".") {
      components.push_back(part);
    }
    begin = end + 1;
  }
  return components;
}

// Refuses by text what no file system can make safe; the open functions refuse the rest.
const char* TextProblem(const std::string& location) {
  if (location.empty()) return "is empty";
  if (location.find('\0') != std::string::npos) return "contains a zero byte";
  if (location[0] == '/') return "is an absolute path";
  for (const std::string& part : Components(location)) {
    if (part == "..") return "leaves the model's folder (\"..\")";
  }
  return Components(location).empty() ? "names no file" : nullptr;
}

}  // namespace

namespace internal {

int OpenBeneathKernel(int folder_fd, const std::string& location) {
  open_how how = {};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, folder_fd, location.c_str(), &how, sizeof how));
}

int OpenBeneathComponentwise(int folder_fd, const std::string& location) {
  const std::vector<std::string> components = Components(location);
  int current = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
  for (size_t i = 0; i < components.size() && current >= 0; ++i) {
    if (components[i] == "..") {
      close(current);
      errno = EXDEV;
      return -1;
    }
    const bool is_last = i + 1 == components.size();
    const int next = openat(current, components[i].c_str(), is_last ? kOpenFlags : kOpenFlags | O_DIRECTORY);
    const int error = errno;
    close(current);
    errno = error;
    current = next;
  }
  return current;
}

}  // namespace internal

Result<FileBytes> ReadExternalData(const std::string& folder, const std::string& location, uint64_t offset,
                                   uint64_t length, const std::string& tensor) {
  const char* name = tensor.c_str();
  if (const char* problem = TextProblem(location)) {
    return Error(Code::kCorrupt, "tensor %s: external data location \"%s\" %s", name, location.c_str(), problem);
  }
  const Descriptor folder_fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder_fd.get() < 0) return Error(Code::kIo, "%s: %s", folder.c_str(), std::strerror(errno));

  int fd = internal::OpenBeneathKernel(folder_fd.get(), location);
  // Old kernels lack openat2; sandboxes answer EPERM.
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
    fd = internal::OpenBeneathComponentwise(folder_fd.get(), location);
  }
  const Descriptor file(fd);
  if (fd < 0) {
    const bool is_hostile = errno == ELOOP || errno == EXDEV || errno == ENOTDIR;
    return Error(is_hostile ? Code::kCorrupt : Code::kIo, "tensor %s: external data file \"%s\": %s", name,
                 location.c_str(), errno == ELOOP ? "is or goes through a symbolic link" : std::strerror(errno));
  }
  struct stat info;
  if (fstat(fd, &info) != 0) return Error(Code::kIo, "%s: %s", location.c_str(), std::strerror(errno));
  if (!S_ISREG(info.st_mode)) {
    return Error(Code::kCorrupt, "tensor %s: external data \"%s\" is not a regular file", name, location.c_str());
  }
  if (info.st_nlink != 1) {
    return Error(Code::kCorrupt, "tensor %s: external data \"%s\" has %ju hard links, must have 1", name,
                 location.c_str(), static_cast<uintmax_t>(info.st_nlink));
  }
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  if (offset > size || length > size - offset) {
    return Error(Code::kCorrupt,
                 "tensor %s: external data bytes [%" PRIu64 ", +%" PRIu64 ") exceed the %" PRIu64 " bytes of \"%s\"",
                 name, offset, length, size, location.c_str());
  }
  FileBytes bytes;
  if (const int error = FileBytes::ReadDescriptor(fd, offset, length, length, &bytes)) {
    return Error(Code::kIo, "tensor %s: external data \"%s\": %s", name, location.c_str(), std::strerror(error));
  }
  if (bytes.size() != length) {
    return Error(Code::kCorrupt, "tensor %s: external data \"%s\": read %zu of %" PRIu64 " bytes", name,
                 location.c_str(), bytes.size(), length);
  }
  return bytes;
}

}  // namespace aq::converter
