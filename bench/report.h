// SPDX-License-Identifier: Apache-2.0
// Measurements of a model, one per number of threads, as md, csv, json, or gbench (Google Benchmark's JSON, so that its
// compare.py reads it).
#pragma once

#include <string>
#include <vector>

#include "bench/measure.h"

namespace aq::bench {

struct Run {
  MeasureOptions options;
  Measurement measurement;
};

// `format`: md, csv, json or gbench. `runs` is not empty and differs in num_threads only.
std::string Report(const std::string& format, const std::vector<Run>& runs);
// Machine and build, one line for stderr.
std::string Context(const std::string& isa);

}  // namespace aq::bench
