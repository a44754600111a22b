// SPDX-License-Identifier: Apache-2.0
// Progress of a long loop on stderr: a bar with items/s and the time left on a terminal, one line per 10 % elsewhere,
// JSON lines for other programs. Says nothing about loops that end quickly. Called from one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

namespace aq::tools {

enum class ProgressMode { kAuto, kBar, kJson, kNone };

class Progress {
 public:
  // `out` is stderr, or a file in tests.
  Progress(ProgressMode mode, std::FILE* out, bool is_terminal);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // A changed stage starts the clock again.
  void Update(const char* stage, size_t done, size_t total);
  void Finish();  // removes the bar

 private:
  using Clock = std::chrono::steady_clock;
  void DrawBar(size_t done, size_t total, double seconds);
  std::FILE* out_;
  ProgressMode mode_;
  bool has_color_;
  std::string stage_;
  Clock::time_point begin_, drawn_;
  bool is_drawn_ = false;
  size_t tenths_ = 0;
};

bool StderrIsTerminal();

}  // namespace aq::tools
