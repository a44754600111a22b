// SPDX-License-Identifier: Apache-2.0
// The subcommands of `aq`: each file in this folder adds its flags to a CLI11 App and gives back what to run after
// parsing. The table is in tools/aq.cc.
#pragma once

#include <functional>
#include <string>

#include "runtime/status.h"
#include "tools/progress.h"

namespace CLI {
class App;  // its header is most of the compile time of a small file
}

namespace aq::tools {

struct CommonFlags {
  bool is_quiet = false;
  bool is_verbose = false;
  ProgressMode progress = ProgressMode::kAuto;
};

// Returns the process's exit code.
using Run = std::function<int()>;
using AddCommand = Run (*)(CLI::App* app, const CommonFlags* common);

Run AddCheck(CLI::App* app, const CommonFlags* common);
Run AddConvert(CLI::App* app, const CommonFlags* common);
Run AddEval(CLI::App* app, const CommonFlags* common);
Run AddRun(CLI::App* app, const CommonFlags* common);
Run AddInspect(CLI::App* app, const CommonFlags* common);
Run AddCpu(CLI::App* app, const CommonFlags* common);
Run AddVersion(CLI::App* app, const CommonFlags* common);

// Prints "aq: error: ..." on stderr and gives the exit code of the status.
int Fail(const Status& status);
int DefaultThreads();  // as many as cores, at most 4

}  // namespace aq::tools
