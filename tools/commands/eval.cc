// SPDX-License-Identifier: Apache-2.0
// `aq eval`: accuracy of an .aqm or .onnx on labelled images, and how often it agrees with another network.
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>

#include "tools/aqm_model.h"
#include "tools/classifier.h"
#include "tools/commands/commands.h"
#include "tools/commands/preprocess_flags.h"
#include "tools/evaluate.h"
#include "tools/exit_codes.h"
#include "tools/json.h"

namespace aq::tools {
namespace {

struct Flags {
  std::string model, data, against;
  std::string format = "md";
  EvaluateOptions options{.threads = DefaultThreads()};
  PreprocessFlags preprocess;
};

bool IsOnnx(const std::string& path) { return path.ends_with(".onnx"); }

Result<Evaluation> Evaluate(const std::string& path, const Dataset& dataset, const EvaluateOptions& options,
                            ProgressMode mode) {
  Progress progress(mode, stderr, StderrIsTerminal());
  return IsOnnx(path) ? EvaluateOnnx(path, dataset, options, &progress)
                      : EvaluateAqm(path, dataset, options, &progress);
}

double Percent(size_t part, size_t whole) { return 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

// "91.48", or "-" without labels; for JSON with six digits, or null.
std::string PercentText(size_t part, size_t whole, bool is_json) {
  if (whole == 0) return is_json ? "null" : "-";
  char text[32];
  std::snprintf(text, sizeof text, is_json ? "%.6g" : "%.2f", Percent(part, whole));
  return text;
}

// A float network is compared under the preprocessing the .aqm was made with, unless flags say otherwise.
Result<Preprocess> FloatPreprocess(const Flags& flags, const Dataset& dataset) {
  const PreprocessFlags& given = flags.preprocess;
  const bool is_given =
      !given.preset.empty() || !given.mean.empty() || !given.stddev.empty() || !given.color.empty() || given.crop >= 0;
  if (!is_given && !IsOnnx(flags.model)) {
    AQ_ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(flags.model));
    return PreprocessFromMetadata(
        [&](const char* key, std::string* value) { return Metadata(model.get(), key, value); });
  }
  return ResolvePreprocess(given, &dataset);
}

Status EvaluateAndPrint(const Flags& flags, const CommonFlags& common) {
  AQ_ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, OpenDataset(flags.data));
  EvaluateOptions options = flags.options;
  if (IsOnnx(flags.model) || IsOnnx(flags.against)) {
    AQ_ASSIGN_OR_RETURN(options.preprocess, FloatPreprocess(flags, *dataset));
  }
  AQ_ASSIGN_OR_RETURN(const Evaluation result, Evaluate(flags.model, *dataset, options, common.progress));
  const bool is_json = flags.format == "json";
  std::string agreement;
  if (!flags.against.empty()) {
    AQ_ASSIGN_OR_RETURN(const Evaluation other, Evaluate(flags.against, *dataset, options, common.progress));
    size_t same = 0;
    for (size_t i = 0; i < result.images; ++i) same += result.predictions[i] == other.predictions[i];
    agreement = PercentText(same, result.images, is_json);
  }
  const std::string top1 = PercentText(result.top1, result.labelled, is_json);
  const std::string top5 = PercentText(result.top5, result.labelled, is_json);
  if (is_json) {
    std::printf("{\"model\": %s, \"images\": %zu, \"top1\": %s, \"top5\": %s, \"output_hash\": \"%016" PRIx64
                "\"%s%s}\n",
                JsonString(flags.model).c_str(), result.images, top1.c_str(), top5.c_str(), result.output_hash,
                agreement.empty() ? "" : ", \"agreement\": ", agreement.c_str());
    return {};
  }
  std::printf("| model | images | top-1 %% | top-5 %% | output hash |%s\n|---|---:|---:|---:|---|%s\n",
              agreement.empty() ? "" : " agreement % |", agreement.empty() ? "" : "---:|");
  std::printf("| %s | %zu | %s | %s | %016" PRIx64 " |%s%s%s\n", flags.model.c_str(), result.images, top1.c_str(),
              top5.c_str(), result.output_hash, agreement.empty() ? "" : " ", agreement.c_str(),
              agreement.empty() ? "" : " |");
  return {};
}

}  // namespace

Run AddEval(CLI::App* app, const CommonFlags* common) {
  const auto flags = std::make_shared<Flags>();
  app->add_option("model,-m,--model", flags->model, "An .aqm, or an .onnx (float)")->required()->type_name("FILE");
  app->add_option("--data", flags->data, "Images, one of\n" + DatasetHelp())->required()->type_name("SPEC");
  app->add_option("--limit", flags->options.limit, "Only the first N images")->type_name("N");
  app->add_option("--against", flags->against, "Also report how often this network's best class is the same")
      ->type_name("FILE");
  app->add_option("-t,--threads", flags->options.threads, "Images at a time (cores, at most 4)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  app->add_option("--session-threads", flags->options.session_threads, "Threads for one image (1)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  app->add_option("--isa", flags->options.isa, "Instruction set, see `aq cpu`")->type_name("NAME");
  app->add_option("-o,--output", flags->format, "md or json")
      ->check(CLI::IsMember({"md", "json"}))
      ->type_name("FORMAT");
  AddPreprocessFlags(app, &flags->preprocess);
  return [flags, common] {
    const Status status = EvaluateAndPrint(*flags, *common);
    return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
  };
}

}  // namespace aq::tools
