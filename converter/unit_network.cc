// SPDX-License-Identifier: Apache-2.0
#include "converter/unit_network.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>
#include <string>

#include "converter/recipe.h"
#include "converter/training/fake_quantize.h"
#include "converter/training/run_nodes.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

using training::BorderClass;
using training::Var;

constexpr int kLearnedBits = 4;  // weights and borders above are left alone

// Of the border estimator (fake_quantize.h), in cells. A threshold that moves on its own must feel the elements near
// it; the straight-through estimator gives it those of its whole cell. Affine borders learn as well with that one.
constexpr float kThresholdWindow = 0.1f;
constexpr float kAffineRate = 2e-3f, kThresholdRate = 1e-2f;

BorderClass ToClass(Border border) {
  switch (border) {
    case Border::kNone:
      return BorderClass::kNone;
    case Border::kAffine:
      return BorderClass::kAffine;
    case Border::kAffineChannel:
      return BorderClass::kAffineChannel;
    case Border::kFree:
      return BorderClass::kFree;
    case Border::kFreeChannel:
      return BorderClass::kFreeChannel;
  }
  return BorderClass::kNone;
}

// In codes: a codebook doubles them so that zero points may be half a step.
float StepOf(const QuantizedWeights& grid) { return grid.codebook.empty() ? 1.0f : 2.0f; }

LearnedActivation ExportActivation(const training::ActivationQuantizer& q) {
  LearnedActivation learned;
  learned.params = {q.bits, q.step.value[0], q.zero_point};
  for (int64_t c = 0; c < q.channels; ++c) {
    const training::Grid grid = training::GridOf(q, c);
    if (q.is_affine()) {
      learned.gain.push_back(grid.gain);
      learned.offset.push_back(grid.offset);
    } else if (q.border_class == BorderClass::kFreeChannel) {
      for (int n = 0; n < kThresholds; ++n)
        learned.channel_thresholds.push_back(static_cast<uint16_t>((n << kFractionBits) + grid.border[n]));
    } else if (q.is_free()) {
      for (const int32_t entry : grid.border) learned.border.push_back(static_cast<uint8_t>(entry));
    }
  }
  return learned;
}

}  // namespace

UnitNetwork::UnitNetwork(const Graph& graph, const ActivationPlan& plan, const std::vector<Histogram>& groups,
                         const ConvertOptions& options, const std::vector<Unit>& units)
    : graph_(graph),
      plan_(plan),
      groups_(groups),
      options_(options),
      producers_(Producers(graph)),
      members_(graph.values.size()),
      is_cut_copy_(graph.values.size()) {
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (plan.is_observed[v]) members_[static_cast<size_t>(plan.group[v])].push_back(static_cast<ValueId>(v));
  for (const Unit& unit : units)
    for (const ValueId input : unit.inputs)
      if (!plan.is_observed[static_cast<size_t>(input)])
        is_cut_copy_[static_cast<size_t>(plan.group[static_cast<size_t>(input)])] = true;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (IsWeightLayer(node) && plan.bits[i].weights <= kLearnedBits && node.inputs[0] != graph.input)
      MakeLayer(static_cast<int>(i));
  }
}

float UnitNetwork::Activation::border_rate() const { return quantizer.is_free() ? kThresholdRate : kAffineRate; }

void UnitNetwork::Activation::Project() {
  training::Project(&quantizer);
  float& step = quantizer.step.value[0];
  step = std::min(step, largest_step);
}

void UnitNetwork::MakeLayer(int index) {
  const Node& node = graph_.nodes[static_cast<size_t>(index)];
  const Conv* conv = std::get_if<Conv>(&node.attributes);
  const std::vector<float>& weights = conv ? conv->weights : std::get<Dense>(node.attributes).weights;
  const std::vector<float>& bias = conv ? conv->bias : std::get<Dense>(node.attributes).bias;
  const size_t channels = bias.size();
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  const std::vector<float> min_scale(channels, largest > 0 ? largest * 1e-7f : 1.0f);
  const int bits = plan_.bits[static_cast<size_t>(index)].weights;
  Layer layer;
  const size_t taps = conv ? static_cast<size_t>(conv->window.kernel_h * conv->window.kernel_w) : 1;
  const bool is_learned = options_.rounding == Rounding::kAdaptive;
  WeightRule rule;
  if (is_learned) rule.scale = WeightScale::kLeastError;
  if (!is_learned && options_.weight_codes == WeightCodes::kSquant) rule.squant = KernelLayout{taps, false};
  layer.grid =
      QuantizeWeights(weights, channels, bits, options_.asymmetric_weights, min_scale, options_.num_threads, rule);
  const float step = StepOf(layer.grid);
  std::vector<float> scale(channels), zero(channels);
  for (size_t n = 0; n < channels; ++n) {
    scale[n] = layer.grid.scale[n] * step;
    zero[n] = static_cast<float>(layer.grid.zero_point[n]) / step;
  }
  Shape shape{static_cast<int64_t>(channels), static_cast<int64_t>(weights.size() / channels)};
  if (conv) {
    const Window& w = conv->window;
    shape = {shape[0], shape[1] / (w.kernel_h * w.kernel_w), w.kernel_h, w.kernel_w};
  }
  const int half = 1 << (bits - 1);
  layer.weights = training::MakeWeightQuantizer(shape, weights, scale, zero, -half, half - 1);
  if (!is_learned) {  // the codes are final: no weight is between two of them
    for (size_t i = 0; i < weights.size(); ++i)
      layer.weights.base[i] = static_cast<float>(layer.grid.codes[i]) - zero[i / (weights.size() / channels)];
    std::ranges::fill(layer.weights.alpha.value, -1.0f);
  }
  layer.bias = training::Parameter({shape[0]}, bias);
  layer.bias.is_trained = options_.learn_biases;
  layers_[index] = std::move(layer);
}

training::BorderClass UnitNetwork::ClassOf(int group, int bits) const {
  BorderClass border = ToClass(options_.border);
  if (bits > kLearnedBits) return BorderClass::kNone;
  const std::vector<ValueId>& members = members_[static_cast<size_t>(group)];
  bool is_foldable = true;
  for (const ValueId v : members) {
    const Node& producer = graph_.nodes[static_cast<size_t>(producers_[static_cast<size_t>(v)])];
    if (!IsWeightLayer(producer) && !std::holds_alternative<Add>(producer.attributes)) return BorderClass::kNone;
    is_foldable = is_foldable && producer.clip_high == kInfinity;
  }
  const bool has_channels = members.size() == 1 && !is_cut_copy_[static_cast<size_t>(group)];
  if (border == BorderClass::kFreeChannel && has_channels && bits != 2) border = BorderClass::kAffineChannel;
  if (border == BorderClass::kFreeChannel && !has_channels) border = BorderClass::kFree;
  if (border == BorderClass::kAffineChannel && !has_channels) border = BorderClass::kAffine;
  const bool is_affine = border == BorderClass::kAffine || border == BorderClass::kAffineChannel;
  return is_affine && !is_foldable ? BorderClass::kNone : border;
}

UnitNetwork::Activation& UnitNetwork::Find(ValueId v, int bits) {
  const int group = plan_.group[static_cast<size_t>(v)];
  const auto [it, is_new] = activations_.try_emplace({group, bits});
  Activation& activation = it->second;
  if (!is_new) return activation;
  activation.value = v;
  const QuantParams params = ChooseParams(groups_[static_cast<size_t>(group)], options_.ranges, bits);
  activation.quantizer = training::MakeActivationQuantizer(bits, params.zero_point, params.scale, ClassOf(group, bits),
                                                           graph_.values[static_cast<size_t>(v)].shape[1]);
  activation.largest_step = std::numeric_limits<float>::max();
  const int positive_codes = MaxLevel(bits) - params.zero_point;
  for (const ValueId member : members_[static_cast<size_t>(group)]) {
    const float high = graph_.nodes[static_cast<size_t>(producers_[static_cast<size_t>(member)])].clip_high;
    if (high != kInfinity && positive_codes > 0)
      activation.largest_step =
          std::min(activation.largest_step, std::max(high / static_cast<float>(positive_codes), params.scale));
  }
  return activation;
}

bool UnitNetwork::HasCodes(ValueId v) const {
  const std::vector<int>& widths = plan_.widths[static_cast<size_t>(v)];
  if (plan_.group[static_cast<size_t>(v)] == plan_.group[static_cast<size_t>(graph_.input)]) return false;
  return std::any_of(widths.begin(), widths.end(), [](int width) { return width != kRawBits; });
}

bool UnitNetwork::CopiesCodes(const Node& node) const {
  return !plan_.is_observed[static_cast<size_t>(node.output)] && HasCodes(node.output);
}

int UnitNetwork::WidthRead(int node, int input) const {
  const ValueId v = graph_.nodes[static_cast<size_t>(node)].inputs[static_cast<size_t>(input)];
  const std::vector<int>& widths = plan_.widths[static_cast<size_t>(v)];
  const bool is_product = input == 0 && IsWeightLayer(graph_.nodes[static_cast<size_t>(node)]);
  return is_product ? ChooseWidth(widths, plan_.bits[static_cast<size_t>(node)].activations) : WidestCode(widths);
}

Status UnitNetwork::Forward(training::Tape* tape, const Unit& unit, const Mode& mode, std::vector<Var>* values) {
  std::map<std::pair<ValueId, int>, Var> quantized;
  std::set<Key>& used = used_[unit.nodes];
  const auto read = [&](ValueId v, int bits) {
    const Var raw = (*values)[static_cast<size_t>(v)];
    if (!HasCodes(v)) return raw;
    const auto [it, is_new] = quantized.try_emplace({v, bits}, training::kNoVar);
    if (!is_new) return it->second;
    used.insert({plan_.group[static_cast<size_t>(v)], bits});
    const uint64_t stream = static_cast<uint64_t>(v) * 64 + static_cast<uint64_t>(bits);
    const training::Drop drop{.keep = mode.keep, .key = {options_.seed, stream, mode.iteration}};
    training::ActivationQuantizer& quantizer = Find(v, bits).quantizer;
    const float window = quantizer.is_free() ? kThresholdWindow : 0;
    return it->second = FakeQuantize(tape, raw, &quantizer, {.drop = drop, .window = window});
  };
  training::NodeHooks hooks;
  hooks.weights = [&](training::Tape* t, int node) {
    const auto layer = layers_.find(node);
    return layer == layers_.end() ? training::kNoVar : RoundedWeights(t, &layer->second.weights, mode.rounding);
  };
  hooks.bias = [&](training::Tape* t, int node) {
    const auto layer = layers_.find(node);
    return layer == layers_.end() ? training::kNoVar : t->Leaf(&layer->second.bias);
  };
  for (const int index : unit.nodes) {
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    const std::span<const int> one(&index, 1);
    const bool is_alias = plan_.alias[static_cast<size_t>(node.output)] != node.output;
    if (!is_alias && CopiesCodes(node)) {
      for (const int width : plan_.widths[static_cast<size_t>(node.output)]) {
        hooks.input = [&](training::Tape*, int, int input, Var) {
          const ValueId v = node.inputs[static_cast<size_t>(input)];
          return read(v, ChooseWidth(plan_.widths[static_cast<size_t>(v)], width));
        };
        AQ_RETURN_IF_ERROR(RunNodes(tape, graph_, one, hooks, values));
        quantized[{node.output, width}] = (*values)[static_cast<size_t>(node.output)];
      }
      // A unit ends unquantised: the next one quantises the copy, which is the same unless borders differ by channel.
      if (std::find(unit.outputs.begin(), unit.outputs.end(), node.output) == unit.outputs.end()) continue;
    }
    hooks.input = [&](training::Tape*, int, int input, Var x) {
      const ValueId v = node.inputs[static_cast<size_t>(input)];
      return is_alias || CopiesCodes(node) ? x : read(v, WidthRead(index, input));
    };
    AQ_RETURN_IF_ERROR(RunNodes(tape, graph_, one, hooks, values));
  }
  return {};
}

std::vector<UnitNetwork::Layer*> UnitNetwork::Layers(const Unit& unit) {
  std::vector<Layer*> layers;
  for (const int node : unit.nodes)
    if (const auto it = layers_.find(node); it != layers_.end()) layers.push_back(&it->second);
  return layers;
}

UnitNetwork::Layer* UnitNetwork::FindLayer(int node) {
  const auto it = layers_.find(node);
  return it == layers_.end() ? nullptr : &it->second;
}

std::vector<UnitNetwork::Activation*> UnitNetwork::Activations(const Unit& unit) {
  std::vector<Activation*> activations;
  for (const Key& key : used_[unit.nodes]) activations.push_back(&activations_.at(key));
  return activations;
}

std::vector<UnitNetwork::Activation*> UnitNetwork::AllActivations() {
  std::vector<Activation*> all;
  for (auto& [key, activation] : activations_) all.push_back(&activation);
  return all;
}

LearnedQuantization UnitNetwork::Export() const {
  LearnedQuantization learned;
  for (const auto& [key, activation] : activations_) learned.activations[key] = ExportActivation(activation.quantizer);
  if (options_.rounding != Rounding::kAdaptive) return learned;
  for (const auto& [node, layer] : layers_) {
    LearnedLayer& out = learned.layers[node];
    out.weights = layer.grid;
    out.weights.codes = HardCodes(layer.weights);
    for (size_t n = 0; n < out.weights.scale.size(); ++n)
      out.weights.scale[n] = layer.weights.scale.value[n] / StepOf(layer.grid);
    if (layer.bias.is_trained) out.bias = layer.bias.value;
  }
  return learned;
}

template <class Visit>
void UnitNetwork::VisitLayer(int node, Layer* layer, const Visit& visit) {
  const std::string name = "layer " + std::to_string(node);
  visit(name + " alpha", &layer->weights.alpha);
  visit(name + " scale", &layer->weights.scale);
  visit(name + " bias", &layer->bias);
}

// The value, not the group: Restore() needs one to make the activation from.
template <class Visit>
void UnitNetwork::VisitActivation(const Key& key, Activation* activation, const Visit& visit) {
  const std::string name = "value " + std::to_string(activation->value) + " bits " + std::to_string(key.second);
  visit(name + " step", &activation->quantizer.step);
  visit(name + " border", &activation->quantizer.border);
}

SavedParameters UnitNetwork::Save() const {
  SavedParameters saved;
  const auto save = [&](const std::string& name, const training::Parameter* parameter) {
    saved[name] = {parameter->is_trained, parameter->value};
  };
  for (const auto& [node, layer] : layers_) VisitLayer(node, const_cast<Layer*>(&layer), save);
  for (const auto& [key, activation] : activations_) VisitActivation(key, const_cast<Activation*>(&activation), save);
  return saved;
}

Status UnitNetwork::Restore(const SavedParameters& saved) {
  for (const auto& [name, parameter] : saved) {
    int value = -1, bits = 0;
    if (std::sscanf(name.c_str(), "value %d bits %d", &value, &bits) != 2) continue;
    const bool is_value = value >= 0 && static_cast<size_t>(value) < plan_.widths.size() && HasCodes(value);
    if (!is_value || std::ranges::count(plan_.widths[static_cast<size_t>(value)], bits) == 0)
      return Error(Code::kCorrupt, "no activation '%s' in this network", name.c_str());
    Find(value, bits);
  }
  size_t used = 0;
  Status status;
  const auto restore = [&](const std::string& name, training::Parameter* parameter) {
    const auto it = saved.find(name);
    const size_t size = it == saved.end() ? 0 : it->second.values.size();
    if (it == saved.end() || size != parameter->value.size()) {
      status = Error(Code::kCorrupt, "parameter '%s' has %zu numbers, expected %zu", name.c_str(), size,
                     parameter->value.size());
      return;
    }
    ++used;
    parameter->is_trained = it->second.is_trained;
    parameter->value = it->second.values;
  };
  for (auto& [node, layer] : layers_) VisitLayer(node, &layer, restore);
  for (auto& [key, activation] : activations_) {
    VisitActivation(key, &activation, restore);
    Project(&activation.quantizer);  // already so, unless somebody made the numbers up
  }
  if (status.ok() && used != saved.size())
    return Error(Code::kCorrupt, "%zu parameters, this network has %zu", saved.size(), used);
  return status;
}

}  // namespace aq::converter
