// SPDX-License-Identifier: Apache-2.0
// Runs a model repeatedly with the rules of LiteRT's benchmark_model, so that numbers compare: warm up, then run until
// at least num_runs and at least min_secs are reached, never longer than max_secs. Uses the C API only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/include/aq/aq.h"
#include "runtime/status.h"

namespace aq::bench {

struct MeasureOptions {
  std::string model, isa;
  std::string name;  // to show instead of the file's
  int num_threads = 1;
  int num_runs = 50;
  double min_secs = 1.0, max_secs = 150.0;
  int warmup_runs = 1;
  double warmup_min_secs = 0.5;
  bool is_op_profile = false;
};

struct OpTime {
  std::string name, type, kernel;
  double ms = 0;  // median over the runs
  uint64_t macs = 0;
};

struct Measurement {
  double load_ms = 0, prepare_ms = 0, first_run_ms = 0;
  std::vector<uint64_t> samples_ns;      // wall time of each run
  std::vector<uint64_t> cpu_samples_ns;  // CPU time of the process in each run: of all threads together
  uint64_t macs = 0;                     // of one run
  uint64_t file_bytes = 0, session_bytes = 0;
  uint64_t peak_rss_bytes = 0;  // of the process since Measure began (VmHWM); 0 where there is none
  std::vector<OpTime> ops;      // in run order; only with is_op_profile
};

// The op profile is a second series of runs: the observer's cost is not in samples_ns.
Result<Measurement> Measure(const MeasureOptions& options);

// Fixed pseudo-random codes for every input: real images are no constant, and runs must compare.
Status FillInputs(const aq_model* model, aq_session* session);

// The loop's rule, apart from any clock: go on after `runs` runs that took `seconds`?
bool NeedsMoreRuns(int runs, double seconds, int min_runs, double min_secs, double max_secs);

}  // namespace aq::bench
