// SPDX-License-Identifier: Apache-2.0
// WriteFileAtomically (convert.h): at any moment, also after kill -9 or a full disk, `path` is the old file or the new
// one, whole.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "converter/convert.h"

namespace aq::converter {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int Close() {
    const int fd = fd_;
    fd_ = -1;
    return fd < 0 ? 0 : close(fd);
  }

 private:
  int fd_;
};

Status IoError(const char* what, const std::string& path, int error) {
  return Error(Code::kIo, "%s: %s: %s", path.c_str(), what, std::strerror(error));
}

// ".<name>.aq-tmp-": followed by the writer's process id and a counter.
std::string TemporaryPrefix(const std::string& name) { return "." + name + ".aq-tmp-"; }

// Temporaries for the same output whose writer is dead.
void SweepStale(int folder, const std::string& name) {
  const int copy = dup(folder);
  if (copy < 0) return;
  DIR* entries = fdopendir(copy);
  if (!entries) {
    close(copy);
    return;
  }
  const std::string prefix = TemporaryPrefix(name);
  while (const dirent* entry = readdir(entries)) {
    if (std::strncmp(entry->d_name, prefix.c_str(), prefix.size()) != 0) continue;
    char* end = nullptr;
    const long pid = std::strtol(entry->d_name + prefix.size(), &end, 10);
    if (end == entry->d_name + prefix.size() || *end != '-' || pid <= 0 || pid == getpid()) continue;
    if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) unlinkat(folder, entry->d_name, 0);
  }
  closedir(entries);
}

int WriteAll(int fd, const std::vector<uint8_t>& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : EIO;
    done += static_cast<size_t>(count);
  }
  return fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

Status WriteFileAtomically(const std::string& path, const std::vector<uint8_t>& bytes) {
  const size_t slash = path.rfind('/');
  const std::string folder_path = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty()) return Error(Code::kInvalidArgument, "output path '%s' has no file name", path.c_str());
  const Descriptor folder(open(folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return IoError("cannot open the folder", folder_path, errno);
  // A symbolic link as output is replaced, never followed.
  struct stat old {};
  if (fstatat(folder.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(old.st_mode) &&
      !S_ISLNK(old.st_mode))
    return Error(Code::kInvalidArgument, "output '%s' exists and is not a regular file", path.c_str());
  SweepStale(folder.get(), name);

  static std::atomic<unsigned> counter{0};
  const std::string temporary = TemporaryPrefix(name) + std::to_string(getpid()) + "-" + std::to_string(counter++);
  Descriptor file(openat(folder.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (file.get() < 0) return IoError("cannot create a temporary file", folder_path + "/" + temporary, errno);
  int error = WriteAll(file.get(), bytes);
  if (file.Close() != 0 && error == 0) error = errno;
  if (error == 0 && renameat(folder.get(), temporary.c_str(), folder.get(), name.c_str()) != 0) error = errno;
  if (error != 0) {
    unlinkat(folder.get(), temporary.c_str(), 0);
    return IoError("cannot write (the old file is untouched)", path, error);
  }
  if (fsync(folder.get()) != 0 && errno != EINVAL) return IoError("cannot sync the folder", folder_path, errno);
  return {};
}

}  // namespace aq::converter
