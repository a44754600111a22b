// SPDX-License-Identifier: Apache-2.0
// main() of `aq_bench`: flags with LiteRT benchmark_model's names and defaults; the result on stdout, context on
// stderr.
#include <cstdio>
#include <exception>

#include "bench/measure.h"
#include "bench/report.h"
#include "runtime/include/aq/aq.h"
#include "tools/command_line.h"
#include "tools/exit_codes.h"

namespace {

using namespace aq;

int Main(int argc, char** argv) {
  bench::MeasureOptions options;
  std::string format = "md";
  bool is_quiet = false;
  CLI::App app("aq_bench: latency of an .aqm on this machine", "aq_bench");
  app.set_version_flag("-V,--version", std::string("aq_bench ") + aq_version());
  app.footer(std::string("Example:\n  aq_bench net.aqm --num-threads 2 --op-profile\n"
                         "Every flag can also be set by the environment: AQ_<FLAG>, say AQ_NUM_RUNS=100.\n") +
             tools::kExitCodeHelp);
  app.add_option("model,-m,--model,--graph", options.model, "The .aqm file")->required()->type_name("FILE");
  app.add_option("-t,--num-threads,--threads", options.num_threads, "Threads (1); -1: cores, at most 4")
      ->check(CLI::Range(-1, 64))
      ->type_name("N");
  app.add_option("-r,--num-runs,--repetitions", options.num_runs, "Runs at least (50)")
      ->check(CLI::Range(1, 1000000000))
      ->type_name("N");
  app.add_option("--min-secs", options.min_secs, "Seconds at least (1.0)")->check(CLI::Range(0.0, 1e6))->type_name("S");
  app.add_option("--max-secs", options.max_secs, "Seconds at most (150)")->check(CLI::Range(0.0, 1e6))->type_name("S");
  app.add_option("--warmup-runs", options.warmup_runs, "Unmeasured runs before (1); 0: no warm-up")
      ->check(CLI::Range(0, 1000000000))
      ->type_name("N");
  app.add_option("--warmup-min-secs", options.warmup_min_secs, "Seconds of warm-up at least (0.5)")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("S");
  app.add_option("--isa", options.isa, "Instruction set, see `aq cpu`")->type_name("NAME");
  app.add_option("-o,--output", format, "md, csv, json or gbench")
      ->check(CLI::IsMember({"md", "csv", "json", "gbench"}))
      ->type_name("FORMAT");
  app.add_flag("--op-profile", options.is_op_profile, "Also the time of each op (csv: instead of the model's)");
  app.add_flag("-q,--quiet", is_quiet, "Results and errors only");
  tools::AddEnvironment(&app);
  try {
    tools::ParseArguments(&app, argc, argv);
  } catch (const CLI::ParseError& error) {
    return tools::ReportParseError(app, error);
  }
  if (!is_quiet) std::fputs(bench::Context(options).c_str(), stderr);
  const Result<bench::Measurement> measurement = bench::Measure(options);
  if (!measurement.ok()) {
    std::fprintf(stderr, "aq_bench: error: %s\n", measurement.status().message().c_str());
    return tools::ExitCodeOf(measurement.status().code());
  }
  std::fputs(bench::Report(format, options, measurement.value()).c_str(), stdout);
  return tools::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  tools::ExitOnInterrupt();
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "aq_bench: error: %s\n", error.what());
    return tools::kExitInternal;
  }
}
