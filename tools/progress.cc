// SPDX-License-Identifier: Apache-2.0
// Implements progress.h.
#include "tools/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace aq::tools {
namespace {

constexpr double kBarAfterSeconds = 2;
constexpr double kLinesAfterSeconds = 10;
constexpr auto kRedrawInterval = std::chrono::milliseconds(100);

double Seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }

// kAuto off a terminal stays kAuto: one line per 10 %.
Progress::Progress(ProgressMode mode, std::FILE* out, bool is_terminal)
    : out_(out),
      mode_(mode == ProgressMode::kAuto && is_terminal ? ProgressMode::kBar : mode),
      has_color_(is_terminal && std::getenv("NO_COLOR") == nullptr),
      begin_(Clock::now()),
      drawn_(begin_) {}

Progress::~Progress() { Finish(); }

void Progress::Update(const char* stage, size_t done, size_t total) {
  if (mode_ == ProgressMode::kNone || total == 0) return;
  const Clock::time_point now = Clock::now();
  if (stage_ != stage) {
    Finish();
    stage_ = stage;
    begin_ = drawn_ = now;
    tenths_ = 0;
  }
  const double seconds = Seconds(now - begin_);
  const size_t tenths = done * 10 / total;
  if (mode_ == ProgressMode::kBar) {
    if (seconds < kBarAfterSeconds || (is_drawn_ && now - drawn_ < kRedrawInterval)) return;
    drawn_ = now;
    DrawBar(done, total, seconds);
  } else if (mode_ == ProgressMode::kJson) {
    if (done != total && now - drawn_ < kRedrawInterval) return;
    drawn_ = now;
    std::fprintf(out_, "{\"stage\":\"%s\",\"done\":%zu,\"total\":%zu,\"seconds\":%.3f}\n", stage, done, total, seconds);
    std::fflush(out_);
  } else if (seconds >= kLinesAfterSeconds && tenths > tenths_) {
    tenths_ = tenths;
    std::fprintf(out_, "%s: %zu %% (%zu of %zu, %.1f/s)\n", stage, done * 100 / total, done, total,
                 static_cast<double>(done) / seconds);
  }
}

void Progress::DrawBar(size_t done, size_t total, double seconds) {
  constexpr size_t kWidth = 30;
  const size_t filled = std::min(kWidth, done * kWidth / total);
  const double rate = static_cast<double>(done) / seconds;
  const double left = rate > 0 ? static_cast<double>(total - std::min(done, total)) / rate : 0;
  std::fprintf(out_, "\r%-12s %s[%s%s]%s %zu/%zu  %.1f/s  %.0f s left \033[K", stage_.c_str(),
               has_color_ ? "\033[36m" : "", std::string(filled, '#').c_str(),
               std::string(kWidth - filled, '.').c_str(), has_color_ ? "\033[0m" : "", done, total, rate, left);
  std::fflush(out_);
  is_drawn_ = true;
}

void Progress::Finish() {
  if (!is_drawn_) return;
  std::fputs("\r\033[K", out_);
  std::fflush(out_);
  is_drawn_ = false;
}

}  // namespace aq::tools
