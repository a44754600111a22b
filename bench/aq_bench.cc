// SPDX-License-Identifier: Apache-2.0
// main() of `aq_bench`: one mode per thing that is measured, each with LiteRT benchmark_model's names and defaults of
// flags where it has such a flag. The result on stdout, context on stderr.
#include <algorithm>
#include <cstdio>
#include <exception>

#include "bench/kernel_benchmarks.h"
#include "bench/layers.h"
#include "bench/measure.h"
#include "bench/module.h"
#include "bench/peak.h"
#include "bench/report.h"
#include "bench/synthetic_file.h"
#include "runtime/include/aq/aq.h"
#include "tools/command_line.h"
#include "tools/exit_codes.h"

namespace {

using namespace aq;

struct Flags {
  bench::MeasureOptions measure;
  std::string layers, synthetic, bits = "w8a8", border = "nearest", filter, format = "md";
  std::vector<std::string> against;
  std::vector<int> num_threads = {1};
  bool is_kernels = false, is_peak = false, is_quiet = false;
};

constexpr char kExamples[] =
    "Examples:\n"
    "  aq_bench net.aqm --num-threads 2 --op-profile\n"
    "  aq_bench --layers resnet18 --bits w4a4 --isa avx2 --against xnnpack,onednn\n"
    "  aq_bench --synthetic resnet18 --bits w2a2 --num-threads 1,2\n"
    "  aq_bench --peak\n"
    "  aq_bench --kernels --benchmark_filter=avx2_w4a8 --min-secs 0.1\n"
    "Every flag can also be set by the environment: AQ_<FLAG>, say AQ_NUM_RUNS=100.\n";

bench::Border BorderOf(const Flags& flags) {
  return flags.border == "table" ? bench::Border::kTable : bench::Border::kNearest;
}

// Each mode returns its report.
Result<std::string> RunModel(const Flags& flags) {
  std::vector<bench::Run> runs;
  for (const int num_threads : flags.num_threads) {
    bench::Run& run = runs.emplace_back(bench::Run{flags.measure, {}});
    run.options.num_threads = num_threads;
    AQ_ASSIGN_OR_RETURN(run.measurement, bench::Measure(run.options));
  }
  return bench::Report(flags.format, runs);
}

Result<std::string> RunSynthetic(const Flags& flags) {
  AQ_ASSIGN_OR_RETURN(const bench::Network network, bench::FindNetwork(flags.synthetic));
  AQ_ASSIGN_OR_RETURN(const bench::Bits bits, bench::ParseBits(flags.bits));
  Flags with_model = flags;
  AQ_ASSIGN_OR_RETURN(with_model.measure.model, bench::WriteSyntheticFile(network, {bits, BorderOf(flags)}));
  with_model.measure.name = flags.synthetic + "_" + flags.bits;
  return RunModel(with_model);
}

Result<std::string> RunLayers(const Flags& flags) {
  const bench::MeasureOptions& measure = flags.measure;
  AQ_ASSIGN_OR_RETURN(const bench::LayerTable table, bench::MeasureLayers({.network = flags.layers,
                                                                           .bits = flags.bits,
                                                                           .isa = measure.isa,
                                                                           .border = BorderOf(flags),
                                                                           .against = flags.against,
                                                                           .filter = flags.filter,
                                                                           .num_runs = measure.num_runs,
                                                                           .min_secs = measure.min_secs,
                                                                           .max_secs = measure.max_secs,
                                                                           .warmup_runs = measure.warmup_runs}));
  if (!flags.is_quiet) {
    for (const bench::Rival& rival : table.rivals) {
      std::fprintf(stderr, "against %s: %s\n", rival.name.c_str(), rival.description.c_str());
    }
  }
  return bench::ReportLayers(table, flags.format);
}

// All of this machine, or what --isa leaves of them.
Result<IsaSet> IsasOf(const Flags& flags) {
  const std::string& name = flags.measure.isa;
  IsaSet isas = DetectIsas();
  std::string error;
  if (name.empty() || LimitIsas(name.c_str(), DetectIsas(), &isas, &error)) return isas;
  return Error(Code::kInvalidArgument, "%s", error.c_str());
}

Result<std::string> RunPeak(const Flags& flags) {
  AQ_ASSIGN_OR_RETURN(const IsaSet isas, IsasOf(flags));
  const int runs = flags.measure.num_runs;
  return bench::ReportPeaks({bench::MeasureRates(isas, runs), bench::MeasureReads(isas, runs)}, flags.format);
}

Result<std::string> RunKernels(const Flags& flags) {
  AQ_ASSIGN_OR_RETURN(const IsaSet isas, IsasOf(flags));
  AQ_ASSIGN_OR_RETURN(void* const run, bench::LoadFunction("kernels", bench::kRunKernelBenchmarks));
  AQ_RETURN_IF_ERROR(reinterpret_cast<bench::RunKernelBenchmarks*>(run)(
      {.filter = flags.filter, .min_secs = flags.measure.min_secs, .is_json = flags.format == "json", .isas = isas}));
  return std::string();
}

struct Mode {
  bool (*is_asked_for)(const Flags& flags);
  bool is_of_model;  // and so has all formats
  Result<std::string> (*run)(const Flags& flags);
};
constexpr Mode kModes[] = {
    {[](const Flags& flags) { return !flags.layers.empty(); }, false, RunLayers},
    {[](const Flags& flags) { return flags.is_peak; }, false, RunPeak},
    {[](const Flags& flags) { return flags.is_kernels; }, false, RunKernels},
    {[](const Flags& flags) { return !flags.synthetic.empty(); }, true, RunSynthetic},
    {[](const Flags& flags) { return !flags.measure.model.empty(); }, true, RunModel},
};

void AddFlags(CLI::App* app, Flags* flags) {
  bench::MeasureOptions& measure = flags->measure;
  CLI::Option* model =
      app->add_option("model,-m,--model,--graph", measure.model, "Time an .aqm file")->type_name("FILE");
  CLI::Option* layers = app->add_option("--layers", flags->layers, "Time each distinct layer of a network")
                            ->check(CLI::IsMember(bench::NetworkNames()))
                            ->type_name("NETWORK");
  CLI::Option* peak = app->add_flag("--peak", flags->is_peak, "Measure what instructions and memory can give");
  CLI::Option* synthetic =
      app->add_option("--synthetic", flags->synthetic, "Time a network with made-up weights; first, last layer 8 bits")
          ->check(CLI::IsMember(bench::NetworkNames()))
          ->type_name("NETWORK");
  CLI::Option* kernels = app->add_flag("--kernels", flags->is_kernels, "Time each row of the kernel tables alone");
  CLI::Option* const modes[] = {model, layers, synthetic, peak, kernels};
  for (CLI::Option* mode : modes) {
    for (CLI::Option* other : modes) {
      if (other != mode) mode->excludes(other);
    }
  }
  app->add_option("--bits", flags->bits, "With --layers, --synthetic: widths of weights and activations (w8a8)")
      ->check([](const std::string& text) { return bench::ParseBits(text).status().message(); })
      ->type_name("wWaA");
  app->add_option("--border", flags->border,
                  "With --layers, --synthetic: rounding borders, nearest or table (nearest); the table of layers then "
                  "shows both")
      ->check(CLI::IsMember({"nearest", "table"}))
      ->type_name("NAME");
  app->add_option("--against", flags->against, "With --layers: also int8 of xnnpack, onednn")
      ->delimiter(',')
      ->check(CLI::IsMember(bench::PeerNames()))
      ->needs(layers)
      ->type_name("NAME,...");
  app->add_option("--benchmark-filter", flags->filter, "With --kernels, --layers: those whose name matches")
      ->type_name("REGEX");
  app->add_option("-t,--num-threads,--threads", flags->num_threads,
                  "Threads (1); -1: cores, at most 4; or several: 1,2")
      ->delimiter(',')
      ->check(CLI::Range(-1, 64))
      ->type_name("N,...");
  app->add_option("-r,--num-runs,--repetitions", measure.num_runs, "Runs at least (50)")
      ->check(CLI::Range(1, 1000000000))
      ->type_name("N");
  app->add_option("--min-secs", measure.min_secs, "Seconds at least (1.0)")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("S");
  app->add_option("--max-secs", measure.max_secs, "Seconds at most (150)")->check(CLI::Range(0.0, 1e6))->type_name("S");
  app->add_option("--warmup-runs", measure.warmup_runs, "Unmeasured runs before (1); 0: no warm-up")
      ->check(CLI::Range(0, 1000000000))
      ->type_name("N");
  app->add_option("--warmup-min-secs", measure.warmup_min_secs, "Seconds of warm-up at least (0.5)")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("S");
  app->add_option("--isa", measure.isa, "Instruction set, see `aq cpu`")->type_name("NAME");
  app->add_option("-o,--output", flags->format, "md or json; of a model also csv, gbench")
      ->check(CLI::IsMember({"md", "csv", "json", "gbench"}))
      ->type_name("FORMAT");
  app->add_flag("--op-profile", measure.is_op_profile, "Also the time of each op (csv: instead of the model's)");
  app->add_flag("-q,--quiet", flags->is_quiet, "Results and errors only");
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("aq_bench: latency of an .aqm on this machine, of single layers, and what the machine can give",
               "aq_bench");
  app.set_version_flag("-V,--version", std::string("aq_bench ") + aq_version());
  app.footer(std::string(kExamples) + tools::kExitCodeHelp);
  AddFlags(&app, &flags);
  tools::AddEnvironment(&app);
  const Mode* mode = nullptr;
  try {
    tools::ParseArguments(&app, argc, argv);
    mode = std::find_if(std::begin(kModes), std::end(kModes), [&](const Mode& m) { return m.is_asked_for(flags); });
    if (mode == std::end(kModes)) throw CLI::RequiredError("model");
    if (!mode->is_of_model && flags.format != "md" && flags.format != "json") {
      throw CLI::ValidationError("--output", flags.format + " is for models only");
    }
  } catch (const CLI::ParseError& error) {
    return tools::ReportParseError(app, error);
  }
  if (!flags.is_quiet) std::fputs(bench::Context(flags.measure.isa).c_str(), stderr);
  const Result<std::string> report = mode->run(flags);
  if (!report.ok()) {
    std::fprintf(stderr, "aq_bench: error: %s\n", report.status().message().c_str());
    return tools::ExitCodeOf(report.status().code());
  }
  std::fputs(report.value().c_str(), stdout);
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
