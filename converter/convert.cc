// SPDX-License-Identifier: Apache-2.0
#include "converter/convert.h"

#include <algorithm>
#include <chrono>

#include "converter/activation_plan.h"
#include "converter/bias_correction.h"
#include "converter/calibrate.h"
#include "converter/channel_steps.h"
#include "converter/check.h"
#include "converter/equalize.h"
#include "converter/passes.h"
#include "converter/quantize.h"
#include "converter/recipe.h"
#include "converter/reconstruct.h"
#include "converter/report.h"
#include "converter/simulate.h"
#include "converter/statistics.h"
#include "converter/threads.h"
#include "converter/writer.h"

namespace aq::converter {
namespace {

constexpr size_t kCheckBatch = 8;  // images whose tensors are all in memory at once

Status CheckArguments(const Graph& graph, const ImageSource& images, const ConvertOptions& options) {
  AQ_RETURN_IF_ERROR(Validate(graph));
  if (images.size() == 0 && options.rounding != Rounding::kNearest)
    return Error(Code::kInvalidArgument, "without calibration images only rounding to nearest is possible");
  if (options.calibration_count == 0)
    return Error(Code::kInvalidArgument, "calibration count is 0, must be at least 1");
  if (options.rounding == Rounding::kAdaptive && options.iterations < 1)
    return Error(Code::kInvalidArgument, "%lld iterations, must be at least 1",
                 static_cast<long long>(options.iterations));
  if (graph.outputs.empty()) return Error(Code::kInvalidArgument, "the network has no outputs");
  return {};
}

// The file against the simulation, and the simulation against float, on the same images.
Status CheckAndMeasure(const Graph& graph, const ActivationPlan& plan, const Quantized& quantized,
                       const LearnedQuantization* learned, std::span<const uint8_t> file,
                       std::span<const std::vector<uint8_t>> pixels, const ConvertOptions& options,
                       const Progress& progress, ConvertReport* report) {
  const Simulator simulator(&quantized.integer);
  AQ_ASSIGN_OR_RETURN(const std::unique_ptr<RuntimeCheck> check, RuntimeCheck::Create(file, &quantized.integer));
  AQ_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(&graph, options.num_threads));
  LoneLayerMeter alone(graph, plan, quantized, learned, &simulator, options.num_threads);
  LayerMeter meter(graph, quantized, options.measure_borders ? &alone : nullptr);
  const Shape& input_shape = graph.values[static_cast<size_t>(graph.input)].shape;
  for (size_t begin = 0; begin < pixels.size(); begin += kCheckBatch) {
    const auto batch = pixels.subspan(begin, std::min(kCheckBatch, pixels.size() - begin));
    std::vector<ImageCodes> images(batch.size());
    ParallelFor(batch.size(), options.num_threads, [&](size_t i) { images[i] = simulator.Run(batch[i]); });
    for (size_t i = 0; i < batch.size(); ++i) AQ_RETURN_IF_ERROR(check->Compare(batch[i], images[i]));
    AQ_RETURN_IF_ERROR(meter.Add(&executor, ToFloat(batch, input_shape, options.preprocess), images));
    if (progress) progress("check", begin + batch.size(), pixels.size());
  }
  report->layers = meter.Reports();
  if (options.measure_borders) report->borders = alone.Borders();
  report->checked_tensors = check->tensors();
  report->checked_images = check->images();
  report->differences = check->differences();
  return check->Verdict();
}

// Eight bits are as good as float: without anything narrower there is nothing to learn.
bool HasLowBits(const Graph& graph, const ActivationPlan& plan) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (IsWeightLayer(graph.nodes[i]) && plan.bits[i].weights < 8) return true;
  for (const std::vector<int>& widths : plan.widths)
    for (const int width : widths)
      if (width < 8) return true;
  return false;
}

}  // namespace

bool Preprocess::IsIdentity() const {
  const auto all = [](const std::vector<float>& values, float expected) {
    return std::all_of(values.begin(), values.end(), [&](float v) { return v == expected; });
  };
  return all(mean, 0) && all(stddev, 1) && crop == 0;
}

const char* UnitKindName(UnitKind kind) { return kind == UnitKind::kLayer ? "layer" : "block"; }

const char* BorderName(Border border) {
  switch (border) {
    case Border::kNone:
      return "none";
    case Border::kAffine:
      return "affine";
    case Border::kAffineChannel:
      return "affine-channel";
    case Border::kFree:
      return "free";
    case Border::kFreeChannel:
      return "free-channel";
  }
  return "";
}

Result<std::vector<uint8_t>> Convert(const Graph& original, const ImageSource& given_images,
                                     const ConvertOptions& wanted, const Progress& progress, ConvertReport* report) {
  const auto start = std::chrono::steady_clock::now();
  ConvertReport local;
  if (!report) report = &local;
  *report = {};
  AQ_RETURN_IF_ERROR(CheckArguments(original, given_images, wanted));
  ConvertOptions options = wanted;
  Graph graph = original;
  if (options.equalize) EqualizeLayers(&graph);
  const Shape& input_shape = graph.values[static_cast<size_t>(graph.input)].shape;

  const bool has_images = given_images.size() > 0;
  const NoiseImages noise(options.check_count, static_cast<size_t>(Elements(input_shape)), options.seed);
  const ImageSource& images = has_images ? given_images : noise;
  const std::vector<size_t> chosen = ChooseImages(images.size(), options.calibration_count, options.seed);
  if (has_images && options.channel_steps)
    AQ_RETURN_IF_ERROR(FitChannelSteps(images, chosen, options, progress, &graph).status());
  AQ_ASSIGN_OR_RETURN(const ActivationPlan plan, PlanActivations(graph, options));
  if (!HasLowBits(graph, plan)) options.rounding = Rounding::kNearest;
  Calibration calibration;
  std::vector<ValueDistribution> distributions;
  if (has_images) {
    AQ_ASSIGN_OR_RETURN(calibration, Calibrate(graph, plan, images, chosen, options, progress));
  } else {
    AQ_ASSIGN_OR_RETURN(distributions, PropagateStatistics(graph, options.preprocess));
    calibration = CalibrateFromStatistics(graph, plan, distributions);
  }
  LearnedQuantization learned;
  const bool is_learned = options.rounding != Rounding::kNearest;
  if (is_learned) {
    AQ_ASSIGN_OR_RETURN(learned,
                        Reconstruct(graph, plan, calibration.groups, images, chosen, options, progress, report));
  }
  if (progress) progress("quantize", 0, 1);
  AQ_ASSIGN_OR_RETURN(Quantized quantized,
                      Quantize(graph, plan, calibration.groups, options, is_learned ? &learned : nullptr));
  if (progress) progress("quantize", 1, 1);

  const auto load_first = [&](size_t count, std::vector<std::vector<uint8_t>>* pixels) {
    return LoadImages(images, std::span(chosen).first(std::min(count, chosen.size())), input_shape, pixels);
  };
  if (options.bias_correction && !has_images) {
    AQ_RETURN_IF_ERROR(CorrectBiasesFromStatistics(graph, distributions, &quantized));
  } else if (options.bias_correction) {
    std::vector<std::vector<uint8_t>> pixels;
    AQ_RETURN_IF_ERROR(load_first(BiasCorrectionImages(quantized.integer), &pixels));
    AQ_RETURN_IF_ERROR(CorrectBiases(graph, pixels, options, &learned, progress, &quantized));
  }
  const auto metadata = BuildMetadata(graph, plan, options, {has_images ? chosen.size() : 0, calibration.pixel_hash});
  std::vector<uint8_t> file = WriteModel(&quantized.integer, metadata);

  std::vector<std::vector<uint8_t>> pixels;
  AQ_RETURN_IF_ERROR(load_first(options.check_count, &pixels));
  AQ_RETURN_IF_ERROR(CheckAndMeasure(graph, plan, quantized, &learned, file, pixels, options, progress, report));
  report->file_bytes = file.size();
  report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return file;
}

}  // namespace aq::converter
