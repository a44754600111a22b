// SPDX-License-Identifier: Apache-2.0
// Command-line manners shared by `aq` and `aq_bench`: `-` and `_` alike in flag names, every flag from AQ_<FLAG> too,
// exit code 2 for usage errors, 130 when interrupted.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace aq::tools {

// --num_threads=4 -> --num-threads=4. Values stay as they are, as does everything after a lone "--".
std::vector<std::string> NormalizeFlags(int argc, char** argv);
// --num-threads -> AQ_NUM_THREADS, for every long flag of the app and its subcommands but help and version.
void AddEnvironment(CLI::App* app);
// CLI11's message and exit code: 0 for help and version, else 2.
int ReportParseError(const CLI::App& app, const CLI::ParseError& error);
// Parses the normalised arguments (without argv[0]); throws CLI::ParseError.
void ParseArguments(CLI::App* app, int argc, char** argv);
void ExitOnInterrupt();

// While it lives, an interrupt waits: around replacing a file. Signals pend and take effect afterwards.
class DeferInterrupt {
 public:
  DeferInterrupt();
  ~DeferInterrupt();
  DeferInterrupt(const DeferInterrupt&) = delete;
  DeferInterrupt& operator=(const DeferInterrupt&) = delete;
};

}  // namespace aq::tools
