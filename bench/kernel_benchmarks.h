// SPDX-License-Identifier: Apache-2.0
// Google Benchmark on the kernels themselves, one benchmark per row of the kernel tables: what a tile gives when its
// operands are in the nearest caches and nothing gathers rows around it. Whole layers: layers.h. A module (module.h).
#pragma once

#include <string>

#include "platforms/cpu.h"
#include "runtime/status.h"

namespace aq::bench {

struct KernelBenchmarkOptions {
  std::string filter;  // Google Benchmark's regular expression; empty: all
  double min_secs = 0.5;
  bool is_json = false;
  IsaSet isas;
};

// What the module "kernels" exports. Prints the results itself. kInvalidArgument: a filter that matches nothing.
using RunKernelBenchmarks = Status(const KernelBenchmarkOptions& options);
inline constexpr char kRunKernelBenchmarks[] = "aq_run_kernel_benchmarks";

}  // namespace aq::bench
