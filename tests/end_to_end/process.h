// SPDX-License-Identifier: Apache-2.0
// Runs a program and keeps what it printed, how it ended and how long it took.
#pragma once

#include <string>
#include <vector>

namespace aq::test {

struct ProcessResult {
  int exit_code = -1;  // -1: killed by a signal
  int signal = 0;
  double seconds = 0;
  std::string out, err;
};

using Environment = std::vector<std::string>;  // "AQ_ISA=scalar", added to this process's own

// `arguments[0]` is the program. stdin is /dev/null.
ProcessResult RunProcess(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace aq::test
