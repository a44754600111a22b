// SPDX-License-Identifier: Apache-2.0
#include "converter/recipe.h"

// gcc 12 with sanitizers: a false alarm inside <regex> (GCC bug 105562).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <regex>

namespace aq::converter {
namespace {

using Json = nlohmann::json;

bool IsBits(int bits) { return bits == 2 || bits == 4 || bits == 8; }

Status CompileRegex(const std::string& pattern, std::regex* regex) {
  try {
    *regex = std::regex(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    return Error(Code::kInvalidArgument, "layer pattern '%s' is not a regular expression: %s", pattern.c_str(),
                 error.what());
  }
  return {};
}

bool Matches(const std::string& name, const std::regex& regex) {
  try {
    return std::regex_search(name, regex);
  } catch (const std::regex_error&) {  // too much backtracking
    return false;
  }
}

Status CheckKeys(const Json& object, const char* where, std::initializer_list<const char*> known) {
  if (!object.is_object()) return Error(Code::kInvalidArgument, "recipe: %s must be an object", where);
  for (const auto& [key, unused] : object.items()) {
    bool found = false;
    for (const char* name : known) found = found || key == name;
    if (!found) return Error(Code::kInvalidArgument, "recipe: unknown key '%s' in %s", key.c_str(), where);
  }
  return {};
}

Status ReadBits(const Json& object, const char* key, const char* where, int* bits) {
  if (!object.contains(key)) return {};
  const Json& value = object[key];
  if (!value.is_number_integer() || !IsBits(value.get<int>()))
    return Error(Code::kInvalidArgument, "recipe: %s.%s is %s, must be 2, 4 or 8", where, key, value.dump().c_str());
  *bits = value.get<int>();
  return {};
}

Status ReadString(const Json& object, const char* key, std::string* text) {
  if (!object.contains(key)) return {};
  if (!object[key].is_string()) return Error(Code::kInvalidArgument, "recipe: '%s' must be a string", key);
  *text = object[key].get<std::string>();
  return {};
}

Status ReadBool(const Json& object, const char* key, bool* value) {
  if (!object.contains(key)) return {};
  if (!object[key].is_boolean()) return Error(Code::kInvalidArgument, "recipe: '%s' must be true or false", key);
  *value = object[key].get<bool>();
  return {};
}

Status ReadDefault(const Json& json, ConvertOptions* options) {
  AQ_RETURN_IF_ERROR(CheckKeys(json, "default", {"weights", "activations", "rounding"}));
  if (json.contains("weights")) {
    const Json& weights = json["weights"];
    AQ_RETURN_IF_ERROR(CheckKeys(weights, "default.weights", {"bits", "granularity", "symmetric"}));
    AQ_RETURN_IF_ERROR(ReadBits(weights, "bits", "default.weights", &options->bits.weights));
    std::string granularity = "channel";
    AQ_RETURN_IF_ERROR(ReadString(weights, "granularity", &granularity));
    if (granularity != "channel")
      return Error(Code::kUnsupported, "recipe: weight granularity '%s'; only 'channel' exists", granularity.c_str());
    bool symmetric = !options->asymmetric_weights;
    AQ_RETURN_IF_ERROR(ReadBool(weights, "symmetric", &symmetric));
    options->asymmetric_weights = !symmetric;
  }
  if (json.contains("activations")) {
    const Json& activations = json["activations"];
    AQ_RETURN_IF_ERROR(CheckKeys(activations, "default.activations", {"bits", "residual_bits", "method"}));
    AQ_RETURN_IF_ERROR(ReadBits(activations, "bits", "default.activations", &options->bits.activations));
    AQ_RETURN_IF_ERROR(ReadBits(activations, "residual_bits", "default.activations", &options->bits.residual));
    std::string method;
    AQ_RETURN_IF_ERROR(ReadString(activations, "method", &method));
    if (method == "minmax")
      options->ranges = Ranges::kMinMax;
    else if (method == "percentile")
      options->ranges = Ranges::kPercentile;
    else if (method == "mse")
      options->ranges = Ranges::kMse;
    else if (method == "cosine")
      options->ranges = Ranges::kCosine;
    else if (method == "aciq")
      options->ranges = Ranges::kAciq;
    else if (!method.empty())
      return Error(Code::kInvalidArgument, "recipe: range method '%s'; minmax, percentile, mse, cosine or aciq",
                   method.c_str());
  }
  std::string rounding;
  AQ_RETURN_IF_ERROR(ReadString(json, "rounding", &rounding));
  if (rounding == "nearest")
    options->rounding = Rounding::kNearest;
  else if (rounding == "adaptive")
    options->rounding = Rounding::kAdaptive;
  else if (!rounding.empty())
    return Error(Code::kInvalidArgument, "recipe: rounding '%s'; nearest or adaptive", rounding.c_str());
  return {};
}

struct Rule {
  std::string name = "", op;
  std::optional<bool> is_depthwise;
  int weights = 0, activations = 0;  // 0: unchanged
};

Status ReadRule(const Json& json, Rule* rule) {
  AQ_RETURN_IF_ERROR(CheckKeys(json, "rule", {"match", "weights", "activations"}));
  if (!json.contains("match")) return Error(Code::kInvalidArgument, "recipe: a rule has no 'match'");
  const Json& match = json["match"];
  AQ_RETURN_IF_ERROR(CheckKeys(match, "match", {"name", "op", "depthwise"}));
  AQ_RETURN_IF_ERROR(ReadString(match, "name", &rule->name));
  AQ_RETURN_IF_ERROR(ReadString(match, "op", &rule->op));
  if (rule->op == "Gemm" || rule->op == "MatMul") rule->op = "Dense";
  if (!rule->op.empty() && rule->op != "Conv" && rule->op != "Dense")
    return Error(Code::kInvalidArgument, "recipe: match.op '%s' has no weights; Conv, Gemm or MatMul",
                 rule->op.c_str());
  if (match.contains("depthwise")) {
    bool depthwise = false;
    AQ_RETURN_IF_ERROR(ReadBool(match, "depthwise", &depthwise));
    rule->is_depthwise = depthwise;
  }
  if (json.contains("weights")) {
    AQ_RETURN_IF_ERROR(CheckKeys(json["weights"], "rule.weights", {"bits"}));
    AQ_RETURN_IF_ERROR(ReadBits(json["weights"], "bits", "rule.weights", &rule->weights));
  }
  if (json.contains("activations")) {
    AQ_RETURN_IF_ERROR(CheckKeys(json["activations"], "rule.activations", {"bits"}));
    AQ_RETURN_IF_ERROR(ReadBits(json["activations"], "bits", "rule.activations", &rule->activations));
  }
  return {};
}

Status ApplyRule(const Rule& rule, const Graph& graph, ConvertOptions* options) {
  std::regex name;
  AQ_RETURN_IF_ERROR(CompileRegex(rule.name, &name));
  AQ_ASSIGN_OR_RETURN(const std::vector<Bits> current, AssignBits(graph, *options));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!IsWeightLayer(node) || (!rule.op.empty() && rule.op != OpName(node.attributes))) continue;
    if (rule.is_depthwise && *rule.is_depthwise != IsDepthwise(node)) continue;
    if (!Matches(node.name, name)) continue;
    Bits bits = current[i];
    if (rule.weights) bits.weights = rule.weights;
    if (rule.activations) bits.activations = rule.activations;
    options->layers.emplace_back(ExactPattern(node.name), bits);
  }
  return {};
}

}  // namespace

bool IsDepthwise(const Node& node) {
  const Conv* conv = std::get_if<Conv>(&node.attributes);
  return conv && conv->groups > 1 && conv->groups == static_cast<int64_t>(conv->bias.size());
}

bool IsWeightLayer(const Node& node) {
  return std::holds_alternative<Conv>(node.attributes) || std::holds_alternative<Dense>(node.attributes);
}

Result<Bits> ParseRecipe(const std::string& text) {
  const bool has_residual = text.size() == 6 && text[4] == 'r';
  if ((text.size() == 4 || has_residual) && text[0] == 'w' && text[2] == 'a') {
    const Bits bits{text[1] - '0', text[3] - '0', has_residual ? text[5] - '0' : 0};
    if (IsBits(bits.weights) && IsBits(bits.activations) && (!has_residual || IsBits(bits.residual))) return bits;
  }
  return Error(Code::kInvalidArgument,
               "recipe '%s': must be wWaA or wWaArR with W, A and R each 2, 4 or 8, e.g. w4a8, w2a2r8", text.c_str());
}

std::string ExactPattern(const std::string& name) {
  std::string pattern = "^";
  for (const char c : name) {
    if (std::string_view("^$\\.*+?()[]{}|/").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

EdgeLayers FindEdgeLayers(const Graph& graph) {
  EdgeLayers edges{std::vector<bool>(graph.nodes.size()), std::vector<bool>(graph.nodes.size())};
  std::vector<bool> after(graph.values.size()),
      before(graph.values.size());  // a weight layer made / will read the value
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    bool seen = false;
    for (const ValueId input : node.inputs) seen = seen || after[static_cast<size_t>(input)];
    edges.is_first[i] = IsWeightLayer(node) && !seen;
    after[static_cast<size_t>(node.output)] = seen || IsWeightLayer(node);
  }
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    const bool seen = before[static_cast<size_t>(node.output)];
    edges.is_last[i] = IsWeightLayer(node) && !seen;
    for (const ValueId input : node.inputs)
      if (seen || IsWeightLayer(node)) before[static_cast<size_t>(input)] = true;
  }
  return edges;
}

Result<std::vector<Bits>> AssignBits(const Graph& graph, const ConvertOptions& options) {
  std::vector<Bits> bits(graph.nodes.size(), options.bits);
  const EdgeLayers edges = FindEdgeLayers(graph);
  for (size_t i = 0; i < bits.size(); ++i) {
    if (edges.is_first[i] || edges.is_last[i]) bits[i].weights = 8;
    if (edges.is_last[i]) bits[i].activations = 8;
  }
  for (const auto& [pattern, layer_bits] : options.layers) {
    std::regex regex;
    AQ_RETURN_IF_ERROR(CompileRegex(pattern, &regex));
    bool is_used = false;
    for (size_t i = 0; i < bits.size(); ++i) {
      if (!IsWeightLayer(graph.nodes[i]) || !Matches(graph.nodes[i].name, regex)) continue;
      const int residual = bits[i].residual;
      bits[i] = layer_bits;
      if (layer_bits.residual == 0) bits[i].residual = residual;
      is_used = true;
    }
    if (!is_used)
      return Error(Code::kInvalidArgument, "layer pattern '%s' matches no Conv or Dense layer", pattern.c_str());
  }
  for (size_t i = 0; i < bits.size(); ++i) {
    if (!IsBits(bits[i].weights) || !IsBits(bits[i].activations))
      return Error(Code::kInvalidArgument, "%s: w%da%d: bits must be 2, 4 or 8", graph.nodes[i].name.c_str(),
                   bits[i].weights, bits[i].activations);
  }
  return bits;
}

Status ApplyRecipeFile(const std::string& json, const Graph& graph, ConvertOptions* options) {
  const Json root = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return Error(Code::kInvalidArgument, "recipe: not JSON");
  AQ_RETURN_IF_ERROR(CheckKeys(root, "recipe", {"version", "default", "rules", "keep_float"}));
  if (!root.contains("version") || root["version"] != 1)
    return Error(Code::kInvalidArgument, "recipe: 'version' must be 1");
  if (root.contains("keep_float") && !(root["keep_float"].is_array() && root["keep_float"].empty()))
    return Error(Code::kUnsupported, "recipe: 'keep_float' must be empty: every layer is integer");
  if (root.contains("default")) AQ_RETURN_IF_ERROR(ReadDefault(root["default"], options));
  if (!root.contains("rules")) return {};
  if (!root["rules"].is_array()) return Error(Code::kInvalidArgument, "recipe: 'rules' must be an array");
  for (const Json& item : root["rules"]) {
    Rule rule;
    AQ_RETURN_IF_ERROR(ReadRule(item, &rule));
    AQ_RETURN_IF_ERROR(ApplyRule(rule, graph, options));
  }
  return {};
}

}  // namespace aq::converter
