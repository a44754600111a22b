// SPDX-License-Identifier: Apache-2.0
#include "converter/writer.h"

#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "converter/recipe.h"
#include "runtime/container.h"

namespace aq::converter {
namespace {

std::string Numbers(const std::vector<float>& values) {
  std::string text;
  char number[32];
  for (const float value : values) {
    std::snprintf(number, sizeof number, "%s%.9g", text.empty() ? "" : ",", static_cast<double>(value));
    text += number;
  }
  return text;
}

const char* RangesName(Ranges ranges) {
  switch (ranges) {
    case Ranges::kMinMax:
      return "minmax";
    case Ranges::kPercentile:
      return "percentile";
    case Ranges::kMse:
      return "mse";
    case Ranges::kCosine:
      return "cosine";
    case Ranges::kAciq:
      return "aciq";
  }
  return "";
}

// The recipe as a recipe file would say it (recipe.h), so that it can be used again.
std::string RecipeJson(const Graph& graph, const ActivationPlan& plan, const ConvertOptions& options) {
  nlohmann::json rules = nlohmann::json::array();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Bits& bits = plan.bits[i];
    const bool is_default = bits.weights == options.bits.weights && bits.activations == options.bits.activations;
    if (!IsWeightLayer(graph.nodes[i]) || is_default) continue;
    rules.push_back({{"match", {{"name", ExactPattern(graph.nodes[i].name)}}},
                     {"weights", {{"bits", bits.weights}}},
                     {"activations", {{"bits", bits.activations}}}});
  }
  nlohmann::json recipe = {
      {"version", 1},
      {"default",
       {{"weights",
         {{"bits", options.bits.weights}, {"granularity", "channel"}, {"symmetric", !options.asymmetric_weights}}},
        {"activations", {{"bits", options.bits.activations}, {"method", RangesName(options.ranges)}}},
        {"rounding", options.rounding == Rounding::kAdaptive ? "adaptive" : "nearest"}}},
      {"rules", rules}};
  if (options.bits.residual != 0) recipe["default"]["activations"]["residual_bits"] = options.bits.residual;
  return recipe.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::map<std::string, std::string> BuildMetadata(const Graph& graph, const ActivationPlan& plan,
                                                 const ConvertOptions& options, const CalibrationSummary& calibration) {
  char text[160];
  std::snprintf(text, sizeof text,
                "{\"bias_correction\":%s,\"images\":%zu,\"method\":\"%s\",\"pixels_fnv1a\":\"%016" PRIx64 "\"}",
                options.bias_correction ? "true" : "false", calibration.images, RangesName(options.ranges),
                calibration.pixel_hash);
  std::map<std::string, std::string> metadata = options.metadata;
  metadata["aq.calibration"] = text;
  metadata["aq.edges"] = options.edges == Edges::kQdrop ? "qdrop" : "brecq";
  metadata["aq.format"] = "AQM1";
  metadata["aq.preprocess.color"] = options.preprocess.color;
  metadata["aq.preprocess.crop"] = std::to_string(options.preprocess.crop);
  metadata["aq.preprocess.mean"] = Numbers(options.preprocess.mean);
  metadata["aq.preprocess.std"] = Numbers(options.preprocess.stddev);
  metadata["aq.producer"] = "aq convert";
  metadata["aq.recipe"] = RecipeJson(graph, plan, options);
  metadata["aq.rounding"] = options.rounding == Rounding::kSearch ? "search" : "nearest";
  if (options.weight_codes == WeightCodes::kSquant) metadata["aq.weight_codes"] = "squant";
  if (options.equalize) metadata["aq.equalized"] = "true";
  if (!options.channel_steps) metadata["aq.shared_steps"] = "true";
  if (options.rounding == Rounding::kAdaptive) {
    metadata["aq.rounding"] = "adaptive";
    std::snprintf(text, sizeof text,
                  "{\"border\":\"%s\",\"units\":\"%s\",\"iterations\":%lld,\"learned_biases\":%s,"
                  "\"tune_iterations\":%lld}",
                  BorderName(options.border), UnitKindName(options.unit_kind),
                  static_cast<long long>(options.iterations), options.learn_biases ? "true" : "false",
                  static_cast<long long>(options.tune_iterations));
    metadata["aq.reconstruction"] = text;
  }
  metadata["aq.seed"] = std::to_string(options.seed);
  metadata["aq.source.sha256"] = graph.source_sha256;
  return metadata;
}

std::vector<uint8_t> WriteModel(IntegerModel* integer, const std::map<std::string, std::string>& metadata) {
  integer->model.segments = LayoutSegments(integer->segments);
  integer->model.metadata.clear();
  for (const auto& [key, value] : metadata) {
    auto pair = std::make_unique<schema::KeyValueT>();
    pair->key = key;
    pair->value = value;
    integer->model.metadata.push_back(std::move(pair));
  }
  flatbuffers::FlatBufferBuilder builder;
  schema::FinishModelBuffer(builder, schema::Model::Pack(builder, &integer->model));
  return AssembleFile({builder.GetBufferPointer(), builder.GetSize()}, integer->segments);
}

}  // namespace aq::converter
