// SPDX-License-Identifier: Apache-2.0
// main() of `aq`: the table of subcommands, the flags all of them share, and nothing else.
#include "runtime/include/aq/aq.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>

#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_codes.h"

namespace {

using namespace aq::tools;

struct Command {
  const char* name;
  AddCommand add;
  bool uses_openmp;  // oneDNN
  const char* summary;
  const char* example;
};

constexpr Command kCommands[] = {
#ifdef AQ_HAVE_CONVERTER
    {"check", AddCheck, false, "Can this network be converted? Lists every problem", "aq check net.onnx"},
    {"convert", AddConvert, true, "Make an .aqm from an .onnx and calibration images",
     "aq convert net.onnx -o net.aqm --calib images:train.tar,train.csv --recipe w4a8 --preset imagenet --crop 224"},
    {"eval", AddEval, true, "Accuracy and output hash on labelled images",
     "aq eval net.aqm --data cifar10:test_batch.bin --limit 1000 -o json"},
#else
    {"eval", AddEval, false, "Accuracy and output hash on labelled images",
     "aq eval net.aqm --data cifar10:test_batch.bin --limit 1000 -o json"},
#endif
    {"run", AddRun, false, "Classify one image", "aq run net.aqm --image cat.jpg --top 5"},
    {"inspect", AddInspect, false, "Show what an .aqm holds", "aq inspect net.aqm -o json --verify"},
    {"cpu", AddCpu, false, "Instruction sets found and used", "AQ_ISA=scalar aq cpu"},
    {"version", AddVersion, false, "Versions of program, file format and compiler", "aq version"},
};

// OpenMP threads spin by default and would fight ours for the cores. libgomp reads its environment while it is loaded,
// before main: the only way to set it is to start again, once.
void SetOpenMpPolicy(int argc, char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  for (int i = 1; i < argc; ++i) {
    for (const Command& command : kCommands) {
      if (!command.uses_openmp || std::strcmp(argv[i], command.name) != 0) continue;
      setenv("OMP_WAIT_POLICY", "passive", 1);
      execv("/proc/self/exe", argv);
      return;  // cannot start again: slower, but correct
    }
  }
}

void AddCommonFlags(CLI::App* app, CommonFlags* common) {
  static const std::map<std::string, ProgressMode> kModes = {{"auto", ProgressMode::kAuto},
                                                             {"bar", ProgressMode::kBar},
                                                             {"json", ProgressMode::kJson},
                                                             {"none", ProgressMode::kNone}};
  app->add_flag("-q,--quiet", common->is_quiet, "Results and errors only");
  app->add_flag("-v,--verbose", common->is_verbose, "Say more");
  app->add_option_function<std::string>(
         "--progress", [common](const std::string& text) { common->progress = kModes.at(text); },
         "auto, bar, json or none, on stderr")
      ->check(CLI::IsMember({"auto", "bar", "json", "none"}))
      ->type_name("MODE");
}

int Main(int argc, char** argv) {
  CLI::App app("aq: integer neural networks, the same bits on every CPU", "aq");
  app.set_version_flag("-V,--version", std::string("aq ") + aq_version());
  app.require_subcommand(1);
  app.footer(std::string("Every flag can also be set by the environment: AQ_<FLAG>, say AQ_THREADS=2.\n") +
             kExitCodeHelp);
  CommonFlags common;
  std::vector<std::pair<CLI::App*, Run>> runs;
  for (const Command& command : kCommands) {
    CLI::App* subcommand = app.add_subcommand(command.name, command.summary);
    subcommand->footer(std::string("Example:\n  ") + command.example + "\n" + kExitCodeHelp);
    AddCommonFlags(subcommand, &common);
    runs.emplace_back(subcommand, command.add(subcommand, &common));
  }
  AddEnvironment(&app);
  try {
    ParseArguments(&app, argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportParseError(app, error);
  }
  if (common.is_quiet) common.progress = ProgressMode::kNone;
  for (const auto& [subcommand, run] : runs) {
    if (subcommand->parsed()) return run();
  }
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  SetOpenMpPolicy(argc, argv);
  ExitOnInterrupt();
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {  // out of memory, or a library's own
    std::fprintf(stderr, "aq: error: %s\n", error.what());
    return kExitInternal;
  }
}
