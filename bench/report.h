// SPDX-License-Identifier: Apache-2.0
// A measurement as md, csv, json, or gbench (Google Benchmark's JSON, so that its compare.py reads it).
#pragma once

#include <string>

#include "bench/measure.h"

namespace aq::bench {

// `format`: md, csv, json or gbench.
std::string Report(const std::string& format, const MeasureOptions& options, const Measurement& measurement);
// Machine, build and settings, one line for stderr.
std::string Context(const MeasureOptions& options);

}  // namespace aq::bench
