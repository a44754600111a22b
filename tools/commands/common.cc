// SPDX-License-Identifier: Apache-2.0
// What all commands share: reporting a failure, the default number of threads.
#include <algorithm>
#include <cstdio>
#include <thread>

#include "tools/commands/commands.h"
#include "tools/exit_codes.h"

namespace aq::tools {

int Fail(const Status& status) {
  std::fprintf(stderr, "aq: error: %s\n", status.message().c_str());
  return ExitCodeOf(status.code());
}

int DefaultThreads() { return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4); }

}  // namespace aq::tools
