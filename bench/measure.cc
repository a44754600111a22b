// SPDX-License-Identifier: Apache-2.0
// Implements measure.h.
#include "bench/measure.h"

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "bench/cpu_clock.h"
#include "bench/statistics.h"
#include "tools/aqm_model.h"

namespace aq::bench {
namespace {

using Clock = std::chrono::steady_clock;

uint64_t Nanoseconds(Clock::time_point begin) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}
double Milliseconds(Clock::time_point begin) { return static_cast<double>(Nanoseconds(begin)) * 1e-6; }

// The peak so far becomes what is in use now: an earlier measurement must not show in this one.
void ResetPeakRss() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
  if (file == nullptr) return;
  std::fputs("5", file);
  std::fclose(file);
}

uint64_t PeakRssBytes() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (status == nullptr) return 0;
  char line[256];
  unsigned long long kib = 0;
  while (std::fgets(line, sizeof line, status) != nullptr) {
    if (std::sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
  }
  std::fclose(status);
  return uint64_t{kib} * 1024;
}

Status RunOnce(aq_session* session) {
  const aq_status status = aq_session_run(session);
  if (status == AQ_OK) return {};
  return Error(tools::CodeOf(status), "run: %s", aq_status_string(status));
}

// Appends to the samples of `result`, unless it is null.
Status RunSeries(aq_session* session, int min_runs, double min_secs, double max_secs, Measurement* result) {
  const Clock::time_point begin = Clock::now();
  for (int runs = 0; NeedsMoreRuns(runs, Milliseconds(begin) * 1e-3, min_runs, min_secs, max_secs); ++runs) {
    const uint64_t cpu_begin = ProcessNanoseconds();
    const Clock::time_point run_begin = Clock::now();
    AQ_RETURN_IF_ERROR(RunOnce(session));
    if (result == nullptr) continue;
    result->samples_ns.push_back(Nanoseconds(run_begin));
    result->cpu_samples_ns.push_back(ProcessNanoseconds() - cpu_begin);
  }
  return {};
}

struct OpSamples {
  OpTime op;
  std::vector<uint64_t> nanoseconds;
};

void AddOpEvent(void* user, const aq_op_event* event) {
  auto* ops = static_cast<std::vector<OpSamples>*>(user);
  if (event->index >= ops->size()) ops->resize(event->index + 1);
  auto& [op, nanoseconds] = (*ops)[event->index];
  if (op.type.empty()) {
    op.name = event->name;
    op.type = event->type;
    op.kernel = event->kernel != nullptr ? event->kernel : "";
    op.macs = event->macs;
  }
  nanoseconds.push_back(event->nanoseconds);
}

Status ProfileOps(aq_session* session, int runs, std::vector<OpTime>* ops) {
  std::vector<OpSamples> samples;
  if (aq_session_set_observer(session, AddOpEvent, &samples) != AQ_OK) return Error(Code::kInternal, "no op observer");
  for (int run = 0; run < runs; ++run) AQ_RETURN_IF_ERROR(RunOnce(session));
  aq_session_set_observer(session, nullptr, nullptr);
  for (auto& [op, nanoseconds] : samples) {
    op.ms = Summarize(nanoseconds).median;
    ops->push_back(std::move(op));
  }
  return {};
}

}  // namespace

Status FillInputs(const aq_model* model, aq_session* session) {
  uint32_t state = 1;
  for (size_t i = 0; i < aq_model_num_inputs(model); ++i) {
    AQ_ASSIGN_OR_RETURN(const aq_tensor_info info, tools::InputInfo(model, i));
    auto* codes = static_cast<uint8_t*>(aq_session_input(session, i));
    const int unused_bits = 8 - info.bits;
    for (size_t b = 0; b < info.bytes; ++b) {
      state = state * 1664525u + 1013904223u;
      codes[b] = static_cast<uint8_t>(state >> 24 >> unused_bits);
    }
  }
  return {};
}

bool NeedsMoreRuns(int runs, double seconds, int min_runs, double min_secs, double max_secs) {
  if (runs > 0 && seconds > max_secs) return false;
  return runs < min_runs || seconds < min_secs;
}

Result<Measurement> Measure(const MeasureOptions& options) {
  Measurement result;
  ResetPeakRss();
  Clock::time_point begin = Clock::now();
  AQ_ASSIGN_OR_RETURN(const tools::ModelPtr model, tools::LoadModel(options.model));
  result.load_ms = Milliseconds(begin);
  std::error_code error;
  result.file_bytes = std::filesystem::file_size(options.model, error);

  begin = Clock::now();
  AQ_ASSIGN_OR_RETURN(const tools::SessionPtr session,
                      tools::CreateSession(model.get(), options.num_threads, options.isa));
  result.prepare_ms = Milliseconds(begin);
  result.session_bytes = aq_session_memory(session.get());
  AQ_RETURN_IF_ERROR(FillInputs(model.get(), session.get()));

  begin = Clock::now();
  AQ_RETURN_IF_ERROR(RunOnce(session.get()));
  result.first_run_ms = Milliseconds(begin);
  if (options.warmup_runs > 0) {
    AQ_RETURN_IF_ERROR(
        RunSeries(session.get(), options.warmup_runs, options.warmup_min_secs, options.max_secs, nullptr));
  }
  AQ_RETURN_IF_ERROR(RunSeries(session.get(), options.num_runs, options.min_secs, options.max_secs, &result));

  // One observed run always: it tells the MACs.
  std::vector<OpTime> ops;
  AQ_RETURN_IF_ERROR(ProfileOps(session.get(), options.is_op_profile ? options.num_runs : 1, &ops));
  for (const OpTime& op : ops) result.macs += op.macs;
  if (options.is_op_profile) result.ops = std::move(ops);
  result.peak_rss_bytes = PeakRssBytes();
  return result;
}

}  // namespace aq::bench
