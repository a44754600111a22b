// SPDX-License-Identifier: Apache-2.0
// `aq convert`: .onnx + calibration images + recipe -> .aqm. Flags to ConvertOptions, the file written atomically, a
// short summary. The work itself is converter::Convert.
#include "converter/convert.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "converter/onnx_reader.h"
#include "converter/recipe.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/preprocess_flags.h"
#include "tools/convert_report.h"
#include "tools/exit_codes.h"
#include "tools/file.h"
#include "tools/network_input.h"

namespace aq::tools {
namespace {

using converter::ConvertOptions;
using converter::ConvertReport;
using converter::Graph;

constexpr char kNoImages[] = "none";
constexpr uint64_t kMaxTextBytes = 1 << 20;

struct Flags {
  std::string model, output, calib, recipe, recipe_file, edges = "qdrop", ranges, rounding, border, labels, report;
  std::vector<std::string> layers;
  size_t calib_count = 0;
  uint64_t seed = ConvertOptions().seed;
  int threads = DefaultThreads();
  int64_t iterations = ConvertOptions().iterations, tune_iterations = ConvertOptions().tune_iterations;
  int residual_bits = 0;
  bool is_symmetric = false, no_bias_correction = false, fixed_biases = false, is_resumed = false;
  std::string weights = "nearest", units = "block";
  bool is_equalized = false, shared_steps = false;
  uint64_t max_memory = ConvertOptions().max_memory_bytes;
  PreprocessFlags preprocess;
};

const std::map<std::string, converter::Edges> kEdges = {{"qdrop", converter::Edges::kQdrop},
                                                        {"brecq", converter::Edges::kBrecq}};
const std::map<std::string, converter::Ranges> kRanges = {{"minmax", converter::Ranges::kMinMax},
                                                          {"percentile", converter::Ranges::kPercentile},
                                                          {"mse", converter::Ranges::kMse},
                                                          {"cosine", converter::Ranges::kCosine},
                                                          {"aciq", converter::Ranges::kAciq}};

const std::map<std::string, converter::WeightCodes> kWeights = {{"nearest", converter::WeightCodes::kNearest},
                                                                {"squant", converter::WeightCodes::kSquant}};
const std::map<std::string, converter::Rounding> kRoundings = {{"nearest", converter::Rounding::kNearest},
                                                               {"search", converter::Rounding::kSearch},
                                                               {"adaptive", converter::Rounding::kAdaptive}};
const std::map<std::string, converter::Border> kBorders = {{"none", converter::Border::kNone},
                                                           {"affine", converter::Border::kAffine},
                                                           {"affine-channel", converter::Border::kAffineChannel},
                                                           {"free", converter::Border::kFree},
                                                           {"free-channel", converter::Border::kFreeChannel}};
const std::map<std::string, converter::UnitKind> kUnitKinds = {{"block", converter::UnitKind::kBlock},
                                                               {"layer", converter::UnitKind::kLayer}};

constexpr size_t kLearningImages = 1024;

// "REGEX=w8a8": the last '=' separates, a regular expression may hold others.
Result<std::pair<std::string, converter::Bits>> ParseLayer(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    return Error(Code::kInvalidArgument, "--layer '%s': REGEX=wWaA expected", text.c_str());
  }
  AQ_ASSIGN_OR_RETURN(const converter::Bits bits, converter::ParseRecipe(text.substr(equals + 1)));
  return std::pair(text.substr(0, equals), bits);  // the converter compiles the expression before it calibrates
}

// Beside the output: there is room for the result, and a rerun finds it.
std::string CheckpointPath(const std::string& output) { return output + ".resume"; }

std::string ScratchFolder(const std::string& output) {
  const char* folder = std::getenv("TMPDIR");
  if (folder && *folder) return folder;
  const std::filesystem::path parent = std::filesystem::path(output).parent_path();
  return parent.empty() ? "." : parent.string();
}

// Found out before minutes of work, not after.
Status CheckOutput(const Flags& flags) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path output(flags.output);
  const fs::path folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error)) {
    return Error(Code::kIo, "%s: no folder %s", flags.output.c_str(), folder.c_str());
  }
  if (fs::exists(output, error) && !fs::is_regular_file(output, error)) {
    return Error(Code::kIo, "%s: exists and is not a regular file", flags.output.c_str());
  }
  if (fs::equivalent(output, flags.model, error)) {
    return Error(Code::kInvalidArgument, "output and input are the same file: %s", flags.model.c_str());
  }
  return {};
}

Result<ConvertOptions> MakeOptions(const Flags& flags, const Graph& graph) {
  ConvertOptions options;
  options.rounding = flags.calib == kNoImages ? converter::Rounding::kNearest : converter::Rounding::kAdaptive;
  if (!flags.recipe_file.empty()) {
    AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(flags.recipe_file, kMaxTextBytes));
    const Status status = converter::ApplyRecipeFile(std::string(bytes.begin(), bytes.end()), graph, &options);
    if (!status.ok()) return Error(status.code(), "%s: %s", flags.recipe_file.c_str(), status.message().c_str());
  }
  // Flags win over the recipe file.
  if (!flags.recipe.empty() || flags.recipe_file.empty()) {
    AQ_ASSIGN_OR_RETURN(options.bits, converter::ParseRecipe(flags.recipe.empty() ? "w8a8" : flags.recipe));
  }
  for (const std::string& layer : flags.layers) {
    AQ_ASSIGN_OR_RETURN(auto parsed, ParseLayer(layer));
    options.layers.push_back(std::move(parsed));
  }
  options.edges = kEdges.at(flags.edges);
  if (!flags.ranges.empty()) options.ranges = kRanges.at(flags.ranges);
  if (flags.is_symmetric) options.asymmetric_weights = false;
  if (flags.no_bias_correction) options.bias_correction = false;
  if (!flags.rounding.empty()) options.rounding = kRoundings.at(flags.rounding);
  options.weight_codes = kWeights.at(flags.weights);
  options.equalize = flags.is_equalized;
  options.channel_steps = !flags.shared_steps;
  if (!flags.border.empty()) options.border = kBorders.at(flags.border);
  options.unit_kind = kUnitKinds.at(flags.units);
  options.iterations = flags.iterations;
  options.learn_biases = !flags.fixed_biases;
  options.tune_iterations = flags.tune_iterations;
  if (flags.residual_bits != 0) options.bits.residual = flags.residual_bits;
  options.seed = flags.seed;
  options.num_threads = flags.threads;
  options.calibration_count = flags.calib_count;
  if (flags.calib_count == 0 && options.rounding != converter::Rounding::kNearest)
    options.calibration_count = kLearningImages;
  else if (flags.calib_count == 0)
    options.calibration_count = ConvertOptions().calibration_count;
  options.max_memory_bytes = flags.max_memory;
  options.scratch_folder = ScratchFolder(flags.output);
  options.checkpoint = CheckpointPath(flags.output);
  options.is_resumed = flags.is_resumed;
  options.measure_borders = !flags.report.empty();
  if (!flags.labels.empty()) {
    AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(flags.labels, kMaxTextBytes));
    std::string text(bytes.begin(), bytes.end());
    std::erase(text, '\r');
    options.metadata["aq.labels"] = text;
  }
  return options;
}

Status Convert(const Flags& flags, const CommonFlags& common) {
  AQ_RETURN_IF_ERROR(CheckOutput(flags));
  std::vector<converter::Unsupported> unsupported;
  const Result<Graph> graph = converter::ReadOnnx(flags.model, {}, &unsupported);
  if (!unsupported.empty()) std::fputs(converter::FormatUnsupported(unsupported).c_str(), stderr);
  if (!graph.ok()) return graph.status();
  for (const std::string& warning : graph.value().warnings) {
    if (!common.is_quiet) std::fprintf(stderr, "aq: warning: %s\n", warning.c_str());
  }
  std::unique_ptr<Dataset> dataset;  // none: conversion without data
  if (flags.calib != kNoImages) {
    AQ_ASSIGN_OR_RETURN(dataset, OpenDataset(flags.calib));
  }
  AQ_ASSIGN_OR_RETURN(const InputShape shape, NetworkInput(graph.value()));
  AQ_ASSIGN_OR_RETURN(ConvertOptions options, MakeOptions(flags, graph.value()));
  AQ_ASSIGN_OR_RETURN(options.preprocess, ResolvePreprocess(flags.preprocess, dataset.get()));
  AQ_RETURN_IF_ERROR(CheckChannels(options.preprocess, shape));
  const InputSource images(dataset.get(), options.preprocess, shape);
  if (dataset && images.size() == 0) {  // the library would take it for "none"
    return Error(Code::kInvalidArgument, "no calibration images in %s", flags.calib.c_str());
  }
  if (dataset) options.calibration_count = std::min(options.calibration_count, images.size());

  ConvertReport report;
  Progress progress(common.progress, stderr, StderrIsTerminal());
  AQ_ASSIGN_OR_RETURN(
      const std::vector<uint8_t> bytes,
      converter::Convert(
          graph.value(), images, options,
          [&](const char* stage, size_t done, size_t total) { progress.Update(stage, done, total); }, &report));
  progress.Finish();
  {
    const DeferInterrupt deferred;
    AQ_RETURN_IF_ERROR(converter::WriteFileAtomically(flags.output, bytes));
    std::error_code ignored;  // a checkpoint left behind does no harm
    if (options.rounding != converter::Rounding::kNearest) {
      std::filesystem::remove(options.checkpoint, ignored);
    }
    if (!flags.report.empty()) {
      const std::string json = ReportJson(flags.output, report);
      AQ_RETURN_IF_ERROR(converter::WriteFileAtomically(flags.report, {json.begin(), json.end()}));
    }
  }
  if (!dataset) options.calibration_count = 0;
  if (common.is_verbose) std::fputs(ReportTable(report).c_str(), stdout);
  if (!common.is_quiet) std::fputs(ReportSummary(flags.output, options, report).c_str(), stdout);
  return {};
}

}  // namespace

Run AddConvert(CLI::App* app, const CommonFlags* common) {
  const auto flags = std::make_shared<Flags>();
  app->add_option("model,-m,--model", flags->model, "The .onnx file")->required()->type_name("FILE");
  app->add_option("-o,--output", flags->output, "The .aqm to write")->required()->type_name("FILE");
  app->add_option("--calib", flags->calib,
                  "Calibration images, \"none\" (ranges from BatchNorm statistics) or one of\n" + DatasetHelp())
      ->required()
      ->type_name("SPEC");
  app->add_option("--calib-count", flags->calib_count, "Images used, chosen by the seed (1024 to learn from, else 256)")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N");
  app->add_option("--recipe", flags->recipe,
                  "Bits of weights, activations and, optionally, shortcuts: w8a8, w4a4, w2a2r8 ... (w8a8)")
      ->type_name("wWaA[rR]");
  app->add_option("--layer", flags->layers, "Bits of the layers whose name matches; repeatable, the last match wins")
      ->type_size(1)
      ->allow_extra_args(false)
      ->type_name("REGEX=wWaA");
  app->add_option("--recipe-file", flags->recipe_file, "JSON recipe; flags win over it")->type_name("FILE");
  app->add_option("--edges", flags->edges, "Which tensors at the ends stay 8-bit: qdrop or brecq (qdrop)")
      ->check(CLI::IsMember(kEdges))
      ->type_name("NAME");
  app->add_option("--ranges", flags->ranges, "Activation ranges: minmax, percentile, mse, cosine or aciq (mse)")
      ->check(CLI::IsMember(kRanges))
      ->type_name("NAME");
  app->add_option("--rounding", flags->rounding,
                  "nearest; search: borders tried out on the calibration images; adaptive: everything learned on "
                  "them,\nwhere there are less than 8 bits (adaptive)")
      ->check(CLI::IsMember(kRoundings))
      ->type_name("NAME");
  app->add_option("--weights", flags->weights,
                  "How weights are rounded unless learned: nearest, or squant: errors cancel, needs no data (nearest)")
      ->check(CLI::IsMember(kWeights))
      ->type_name("NAME");
  app->add_flag("--equalize", flags->is_equalized, "Cross-layer equalisation first: for networks without ReLU6");
  app->add_flag("--shared-steps", flags->shared_steps,
                "One activation step for all channels that a depthwise layer reads, not one for each");
  app->add_option("--border", flags->border,
                  "Adaptive: rounding borders of activations: none, affine, affine-channel, free or free-channel "
                  "(affine-channel)")
      ->check(CLI::IsMember(kBorders))
      ->type_name("CLASS");
  app->add_option("--units", flags->units,
                  "Adaptive: what is learned at once: block (as QDrop) or layer (as AdaRound) (block)")
      ->check(CLI::IsMember(kUnitKinds))
      ->type_name("NAME");
  app->add_option("--iterations", flags->iterations, "Adaptive: training steps of each block or layer (300)")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N");
  app->add_option("--tune-iterations", flags->tune_iterations,
                  "Adaptive: training steps of the whole network after its blocks (1000)")
      ->check(CLI::Range(0, 1000000))
      ->type_name("N");
  app->add_option("--residual-bits", flags->residual_bits,
                  "Bits of the shortcut that a sum adds; 0: those its other readers want (0)")
      ->check(CLI::IsMember({0, 2, 4, 8}))
      ->type_name("N");
  app->add_option("--max-memory", flags->max_memory,
                  "Adaptive: memory for the images' values; what exceeds it goes to a file in $TMPDIR,\n"
                  "else beside the output (4GiB)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  app->add_flag("--resume", flags->is_resumed,
                "Adaptive: continue an interrupted conversion from OUTPUT.resume, which is written after each\n"
                "block and removed in the end; from the start if there is none");
  AddPreprocessFlags(app, &flags->preprocess);
  app->add_option("--seed", flags->seed, "Seed of everything random (1)")->type_name("S");
  app->add_option("-t,--threads", flags->threads,
                  "Threads; the file is the same whatever their number (cores, at most 4)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  app->add_option("--labels", flags->labels, "Class names, one a line, stored in the file")->type_name("FILE");
  app->add_option("--report-json", flags->report, "Write a report: per layer, per reconstructed block, per border")
      ->type_name("FILE");
  app->add_flag("--symmetric-weights", flags->is_symmetric, "No zero points for weights");
  app->add_flag("--fixed-biases", flags->fixed_biases, "Adaptive: do not learn the blocks' biases");
  app->add_flag("--no-bias-correction", flags->no_bias_correction, "Leave the mean shift of quantisation in");
  return [flags, common] {
    const Status status = Convert(*flags, *common);
    return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
  };
}

}  // namespace aq::tools
