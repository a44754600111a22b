// SPDX-License-Identifier: Apache-2.0
// Implements synthetic_file.h with memfd: the file's pages belong to no process.
#include "bench/synthetic_file.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace aq::bench {
namespace {

bool WriteAll(int file, const std::vector<uint8_t>& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = write(file, bytes.data() + done, bytes.size() - done);
    if (written <= 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

Result<std::string> WriteSyntheticFile(const Network& network, const SyntheticOptions& options) {
  const int file = memfd_create(network.name.c_str(), 0);
  if (file < 0) return Error(Code::kIo, "synthetic %s: no file in memory: %s", network.name.c_str(), strerror(errno));
  const pid_t child = fork();
  if (child < 0) return Error(Code::kIo, "synthetic %s: no process: %s", network.name.c_str(), strerror(errno));
  if (child == 0) _exit(WriteAll(file, SyntheticNetwork(network, options)) ? 0 : 1);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return Error(Code::kIo, "synthetic %s: could not be built", network.name.c_str());
  return "/proc/self/fd/" + std::to_string(file);
}

}  // namespace aq::bench
