// SPDX-License-Identifier: Apache-2.0
// Implements command_line.h.
#include "tools/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>

#include "tools/exit_codes.h"

namespace aq::tools {
namespace {

std::atomic<int> deferrals = 0;
std::atomic<bool> is_interrupted = false;
static_assert(std::atomic<int>::is_always_lock_free);  // usable in a signal handler

// Nothing needs undoing: output files appear by rename, when complete.
[[noreturn]] void Leave() {
  constexpr char kMessage[] = "\ninterrupted\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  _exit(kExitInterrupted);
}

void OnInterrupt(int) {
  is_interrupted = true;
  if (deferrals == 0) Leave();
}

}  // namespace

std::vector<std::string> NormalizeFlags(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const size_t equals = std::min(argument.find('='), argument.size());
    std::replace(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(equals), '_', '-');
  }
  return arguments;
}

void AddEnvironment(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (option->get_lnames().empty()) continue;
    std::string name = option->get_lnames().front();
    if (name == "help" || name == "version") continue;
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    option->envname("AQ_" + name);
  }
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) AddEnvironment(command);
}

int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  return app.exit(error, std::cout, std::cerr) == 0 ? kExitOk : kExitUsage;
}

void ParseArguments(CLI::App* app, int argc, char** argv) {
  std::vector<std::string> arguments = NormalizeFlags(argc, argv);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  app->parse(std::move(arguments));
}

void ExitOnInterrupt() {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, nullptr);
}

DeferInterrupt::DeferInterrupt() { ++deferrals; }

DeferInterrupt::~DeferInterrupt() {
  if (--deferrals == 0 && is_interrupted) Leave();
}

}  // namespace aq::tools
