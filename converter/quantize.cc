// SPDX-License-Identifier: Apache-2.0
#include "converter/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

#include "converter/calibrate.h"
#include "converter/layout.h"
#include "converter/recipe.h"
#include "converter/scaling.h"
#include "converter/weight_quantizer.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

constexpr size_t kMaxName = 240;  // the runtime's default limit is 256 bytes
// Bits of the largest raw output: leaves ScalingFits() room for the shift and for bias correction.
constexpr int kRawOutputBits = 28;
constexpr int kRawOutputBitsWithResidual = 23;
constexpr int kMaxBiasBits = 28;

int32_t ToInt32(int64_t value) { return static_cast<int32_t>(value); }

// Names as the runtime accepts them: not too long, no control characters.
std::string ShortName(std::string name) {
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  if (name.size() <= kMaxName) return name;
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return name.substr(0, kMaxName - 20).append("~").append(std::to_string(hash % 1000000007u));
}

class Quantizer {
 public:
  Quantizer(const Graph& graph, const ActivationPlan& plan, const std::vector<Histogram>& groups,
            const ConvertOptions& options, const LearnedQuantization* learned)
      : graph_(graph),
        plan_(plan),
        groups_(groups),
        options_(options),
        learned_(learned),
        consumers_(Consumers(graph)),
        tensors_(graph.values.size()),
        flattened_(graph.values.size()) {}

  Result<Quantized> Run() {
    AQ_RETURN_IF_ERROR(MakeInput());
    for (node_ = 0; node_ < graph_.nodes.size(); ++node_) {
      const Node& node = graph_.nodes[node_];
      if (plan_.alias[Index(node.output)] == node.output) AQ_RETURN_IF_ERROR(EmitNode(node));
    }
    for (const ValueId output : graph_.outputs) {
      const ValueId source = plan_.alias[Index(output)];
      const int tensor = tensors_[Index(source)].begin()->second;  // widest first: raw if there is one
      integer_.Tensor(tensor).name = ShortName(ValueOf(output).name);
      integer_.model.outputs.push_back(tensor);
    }
    AQ_RETURN_IF_ERROR(ProveRanges(integer_));
    return Quantized{std::move(integer_), std::move(provenance_)};
  }

 private:
  using WidthMap = std::map<int, int32_t, std::greater<>>;  // width -> tensor

  static size_t Index(ValueId v) { return static_cast<size_t>(v); }
  const Value& ValueOf(ValueId v) const { return graph_.values[Index(v)]; }

  // ---- Tensors and ops ----

  int32_t AddTensor(const std::string& name, std::vector<int32_t> shape, const QuantParams& params, ValueId value) {
    auto tensor = std::make_unique<schema::TensorT>();
    tensor->name = ShortName(name);
    tensor->shape = std::move(shape);
    tensor->bits = static_cast<uint8_t>(params.bits);
    tensor->scale = params.scale;
    tensor->zero_point = static_cast<uint8_t>(params.zero_point);
    integer_.model.tensors.push_back(std::move(tensor));
    provenance_.value_of_tensor.push_back(value);
    return ToInt32(static_cast<int64_t>(integer_.model.tensors.size()) - 1);
  }

  // The tensor that stores `v` at params.bits; names of second widths carry the width.
  int32_t AddValueTensor(ValueId v, const QuantParams& params) {
    std::string name = ValueOf(v).name;
    if (!tensors_[Index(v)].empty()) name.append("#").append(std::to_string(params.bits));
    const int32_t tensor = AddTensor(name, ChannelsLast(ValueOf(v).shape), params, flattened_[Index(v)] ? -1 : v);
    tensors_[Index(v)][params.bits] = tensor;
    const LearnedActivation* learned = LearnedFor(v, params.bits);
    if (learned && plan_.is_observed[Index(v)]) {  // elsewhere codes are copied, not rounded
      integer_.Tensor(tensor).border = learned->border;
      integer_.Tensor(tensor).channel_thresholds = learned->channel_thresholds;
    }
    return tensor;
  }

  template <class Attributes>
  schema::OpT& AddOp(const std::string& name, Attributes&& attributes, std::vector<int32_t> inputs,
                     std::vector<int32_t> outputs, bool is_helper = false) {
    auto op = std::make_unique<schema::OpT>();
    op->name = ShortName(name);
    op->attributes.Set(std::forward<Attributes>(attributes));
    op->inputs = std::move(inputs);
    op->outputs = std::move(outputs);
    integer_.model.ops.push_back(std::move(op));
    provenance_.node_of_op.push_back(is_helper ? -1 : ToInt32(static_cast<int64_t>(node_)));
    provenance_.acc_scale.emplace_back();
    return *integer_.model.ops.back();
  }

  QuantParams ParamsOf(int32_t tensor) const {
    const schema::TensorT& t = integer_.Tensor(tensor);
    return {t.bits, t.scale, t.zero_point};
  }
  QuantParams ChooseParamsFor(ValueId v, int bits) {
    const int group = plan_.group[Index(v)];
    const auto [it, is_new] = params_.try_emplace({group, bits});
    if (!is_new) return it->second;
    const LearnedActivation* learned = LearnedFor(v, bits);
    it->second = learned ? learned->params : ChooseParams(groups_[Index(group)], options_.ranges, bits);
    return it->second;
  }
  const LearnedActivation* LearnedFor(ValueId v, int bits) const {
    return learned_ ? learned_->Find(plan_.group[Index(v)], bits) : nullptr;
  }
  // One entry, or one per channel where an affine border was learned.
  std::vector<int32_t> OffsetsFor(ValueId v, const QuantParams& params) const {
    const int32_t nearest = params.zero_point << kFractionBits;
    const LearnedActivation* learned = LearnedFor(v, params.bits);
    std::vector<int32_t> offsets(learned && !learned->offset.empty() ? learned->offset.size() : 1);
    for (size_t c = 0; c < offsets.size(); ++c) offsets[c] = learned ? learned->OffsetAt(c, nearest) : nearest;
    return offsets;
  }
  int32_t Read(ValueId v, int wanted) const {
    return tensors_[Index(v)].at(ChooseWidth(plan_.widths[Index(v)], wanted));
  }
  int32_t ReadWidest(ValueId v) const { return tensors_[Index(v)].at(WidestCode(plan_.widths[Index(v)])); }

  // ---- Input ----

  // The preprocessing disappears: into the only layer that reads the input, or into its scale and zero point.
  Status MakeInput() {
    const Preprocess& preprocess = options_.preprocess;
    const ValueId input = graph_.input;
    const Shape& shape = ValueOf(input).shape;
    const size_t channels = shape.size() == 4 ? static_cast<size_t>(shape[1]) : 1;
    for (const std::vector<float>* values : {&preprocess.mean, &preprocess.stddev})
      if (values->size() != 1 && values->size() != channels)
        return Error(Code::kInvalidArgument, "preprocessing has %zu means or deviations, input '%s' has %zu channels",
                     values->size(), ValueOf(input).name.c_str(), channels);
    for (const float deviation : preprocess.stddev)
      if (!(deviation > 0))
        return Error(Code::kInvalidArgument, "preprocessing deviation %g is not positive",
                     static_cast<double>(deviation));
    const std::vector<int>& readers = consumers_[Index(input)];
    const bool is_single = readers.size() == 1 && IsWeightLayer(graph_.nodes[static_cast<size_t>(readers[0])]);
    is_input_folded_ = is_single && graph_.nodes[static_cast<size_t>(readers[0])].inputs[0] == input;
    QuantParams params;
    if (!is_input_folded_) {
      const auto is_uniform = [](const std::vector<float>& v) { return std::equal(v.begin() + 1, v.end(), v.begin()); };
      const float mean = preprocess.mean[0];
      if (!is_uniform(preprocess.mean) || !is_uniform(preprocess.stddev) || mean < 0 || mean > 255)
        return Error(Code::kUnsupported,
                     "input '%s' is not read by exactly one convolution or dense layer (%zu readers): only one mean in "
                     "0..255 and one "
                     "deviation for all channels can be folded",
                     ValueOf(input).name.c_str(), readers.size());
      params.scale = 1 / preprocess.stddev[0];
      params.zero_point = static_cast<int>(std::lround(mean));
    }
    integer_.model.inputs.push_back(AddValueTensor(input, params));
    return {};
  }

  // ---- Nodes ----

  Status EmitNode(const Node& node) {
    if (IsWeightLayer(node)) return EmitWeightLayer(node);
    if (std::holds_alternative<Add>(node.attributes)) return EmitAdd(node);
    if (std::holds_alternative<Mul>(node.attributes)) return EmitMul(node);
    if (std::holds_alternative<Concat>(node.attributes)) return EmitConcat(node);
    if (const Elementwise* elementwise = std::get_if<Elementwise>(&node.attributes))
      return EmitElementwise(node, *elementwise);
    if (!IsPassThrough(node)) return EmitAveragePool(node);
    if (node.has_clip()) {
      const int32_t in = Read(node.inputs[0], 8);
      const int32_t copy =
          AddTensor(node.name + "/unclipped", ChannelsLast(ValueOf(node.output).shape), ParamsOf(in), -1);
      EmitPassThrough(node, in, copy);
      for (const int width : plan_.widths[Index(node.output)]) EmitLookup(node, node.name + "/clip", {}, copy, width);
      return {};
    }
    FindFlattened(node);
    for (const int width : plan_.widths[Index(node.output)]) {
      const int32_t in = Read(node.inputs[0], width);
      EmitPassThrough(node, in, AddValueTensor(node.output, ParamsOf(in)));
    }
    return {};
  }

  // A flattened image read only by dense layers stays channels last: their weights are permuted instead.
  void FindFlattened(const Node& node) {
    if (!std::holds_alternative<Reshape>(node.attributes) || IsOrderFree(ValueOf(node.inputs[0]).shape)) return;
    if (ValueOf(node.output).shape.size() != 2 || consumers_[Index(node.output)].empty()) return;
    if (std::find(graph_.outputs.begin(), graph_.outputs.end(), node.output) != graph_.outputs.end()) return;
    for (const int consumer : consumers_[Index(node.output)]) {
      const Node& reader = graph_.nodes[static_cast<size_t>(consumer)];
      if (!std::holds_alternative<Dense>(reader.attributes)) return;
      if (reader.inputs.size() > 1 && reader.inputs[1] == node.output) return;
    }
    flattened_[Index(node.output)] = &ValueOf(node.inputs[0]).shape;
  }

  void EmitPassThrough(const Node& node, int32_t in, int32_t out) {
    if (const Pool* pool = std::get_if<Pool>(&node.attributes)) {
      AddOp(node.name, MakePool(*pool), {in}, {out});
    } else if (const Slice* slice = std::get_if<Slice>(&node.attributes)) {
      schema::SliceT attributes;
      attributes.begin = ChannelsLast(slice->begin);
      attributes.stride = ChannelsLast(slice->stride);
      AddOp(node.name, std::move(attributes), {in}, {out});
    } else if (const Pad* pad = std::get_if<Pad>(&node.attributes)) {
      schema::PadT attributes;
      attributes.before = ChannelsLast(pad->before);
      attributes.after = ChannelsLast(pad->after);
      AddOp(node.name, std::move(attributes), {in}, {out});
    } else if (const Transpose* transpose = std::get_if<Transpose>(&node.attributes)) {
      schema::TransposeT attributes;
      attributes.permutation = PermutationChannelsLast(transpose->permutation);
      AddOp(node.name, std::move(attributes), {in}, {out});
    } else {
      EmitReshape(node, in, out);
    }
  }

  // Element order is NCHW's: images go through NCHW order and back where that differs from channels last.
  void EmitReshape(const Node& node, int32_t in, int32_t out) {
    const Shape& from = ValueOf(node.inputs[0]).shape;
    const Shape& to = ValueOf(node.output).shape;
    const auto transpose = [&](const char* suffix, int32_t source, int32_t target, const int(&permutation)[4]) {
      schema::TransposeT attributes;
      attributes.permutation.assign(std::begin(permutation), std::end(permutation));
      AddOp(node.name + suffix, std::move(attributes), {source}, {target}, /*is_helper=*/true);
    };
    const QuantParams params = ParamsOf(in);
    if (!IsOrderFree(from) && !flattened_[Index(node.output)]) {
      const int32_t planes = AddTensor(node.name + "/nchw", std::vector<int32_t>(from.begin(), from.end()), params, -1);
      transpose("/to_nchw", in, planes, kToLast);
      in = planes;
    }
    if (IsOrderFree(to)) {
      AddOp(node.name, schema::ReshapeT(), {in}, {out});
      return;
    }
    const int32_t planes = AddTensor(node.name + "/reshaped", std::vector<int32_t>(to.begin(), to.end()), params, -1);
    AddOp(node.name, schema::ReshapeT(), {in}, {planes});
    transpose("/to_nhwc", planes, out, kToNchw);
  }

  static schema::PoolT MakePool(const Pool& pool) {
    const Window& w = pool.window;
    schema::PoolT attributes;
    attributes.kind = pool.kind == PoolKind::kMax ? schema::PoolKind::Max : schema::PoolKind::Average;
    attributes.kernel_h = ToInt32(w.kernel_h), attributes.kernel_w = ToInt32(w.kernel_w);
    attributes.stride_h = ToInt32(w.stride_h), attributes.stride_w = ToInt32(w.stride_w);
    attributes.pad_top = ToInt32(w.pad_top), attributes.pad_left = ToInt32(w.pad_left);
    attributes.pad_bottom = ToInt32(w.pad_bottom), attributes.pad_right = ToInt32(w.pad_right);
    return attributes;
  }

  Status EmitAveragePool(const Node& node) {
    const Pool& pool = std::get<Pool>(node.attributes);
    const Window& w = pool.window;
    const int32_t in = ReadWidest(node.inputs[0]);
    const bool is_padded = w.pad_top || w.pad_left || w.pad_bottom || w.pad_right;
    schema::PoolT attributes = MakePool(pool);
    attributes.count_include_pad = pool.count_include_pad || !is_padded;
    const double in_scale = ParamsOf(in).scale;
    const int64_t full = w.kernel_h * w.kernel_w;
    const int primary = plan_.widths[Index(node.output)][0];
    // One tap is 2^13 units: the shift of a 1x1 window still fits.
    QuantParams params{kRawBits, static_cast<float>(std::ldexp(in_scale, -13)), 0};
    if (primary != kRawBits) params = ChooseParamsFor(node.output, primary);
    auto rq = std::make_unique<schema::RequantizeT>();
    rq->offset = {params.zero_point << kFractionBits};
    for (int64_t count = attributes.count_include_pad ? full : 1; count <= full; ++count) {
      const double ratio = in_scale / (static_cast<double>(count) * OutputStep(params));
      rq->multiplier.emplace_back();
      rq->shift.emplace_back();
      if (!QuantizeMultiplier(ratio, &rq->multiplier.back(), &rq->shift.back())) return RatioError(node, ratio);
    }
    const int32_t out = AddValueTensor(node.output, params);
    AddOp(node.name, std::move(attributes), {in}, {out}).requantize.push_back(std::move(rq));
    EmitNarrower(node);
    return {};
  }

  Status EmitAdd(const Node& node) {
    const int32_t a = ReadWidest(node.inputs[0]), b = ReadWidest(node.inputs[1]);
    std::vector<int32_t> outputs;
    std::vector<std::unique_ptr<schema::RequantizeT>> requantize;
    for (const int width : plan_.widths[Index(node.output)]) {
      const QuantParams params = ChooseParamsFor(node.output, width);
      auto rq = std::make_unique<schema::RequantizeT>();
      rq->offset = OffsetsFor(node.output, params);
      const LearnedActivation* learned = LearnedFor(node.output, width);
      const double ratio_a = ParamsOf(a).scale / static_cast<double>(params.scale),
                   ratio_b = ParamsOf(b).scale / static_cast<double>(params.scale);
      rq->ratio.resize(rq->offset.size());
      rq->residual_ratio.resize(rq->offset.size());
      for (size_t c = 0; c < rq->offset.size(); ++c) {
        const double gain = learned ? learned->GainAt(c) : 1;
        if (!QuantizeRatio(ratio_a * gain, &rq->ratio[c])) return RatioError(node, ratio_a * gain);
        if (!QuantizeRatio(ratio_b * gain, &rq->residual_ratio[c])) return RatioError(node, ratio_b * gain);
      }
      outputs.push_back(AddValueTensor(node.output, params));
      requantize.push_back(std::move(rq));
    }
    AddOp(node.name, schema::AddT(), {a, b}, outputs).requantize = std::move(requantize);
    return {};
  }

  Status EmitMul(const Node& node) {
    const int32_t a = ReadWidest(node.inputs[0]), b = ReadWidest(node.inputs[1]);
    const QuantParams params = ChooseParamsFor(node.output, plan_.widths[Index(node.output)][0]);
    auto rq = std::make_unique<schema::RequantizeT>();
    rq->offset = {params.zero_point << kFractionBits};
    rq->multiplier.resize(1);
    rq->shift.resize(1);
    const double ratio = static_cast<double>(ParamsOf(a).scale) * ParamsOf(b).scale / params.scale;
    if (!QuantizeMultiplier(ratio, &rq->multiplier[0], &rq->shift[0])) return RatioError(node, ratio);
    const int32_t out = AddValueTensor(node.output, params);
    AddOp(node.name, schema::MulT(), {a, b}, {out}).requantize.push_back(std::move(rq));
    EmitNarrower(node);
    return {};
  }

  Status EmitConcat(const Node& node) {
    const bool is_tied = plan_.group[Index(node.inputs[0])] == plan_.group[Index(node.output)];
    for (const int width : plan_.widths[Index(node.output)]) {
      std::vector<int32_t> inputs;
      for (const ValueId input : node.inputs) inputs.push_back(is_tied ? Read(input, width) : ReadWidest(input));
      const QuantParams params = ChooseParamsFor(node.output, width);
      std::vector<std::unique_ptr<schema::RequantizeT>> requantize;
      for (const int32_t input : inputs) {
        auto rq = std::make_unique<schema::RequantizeT>();
        rq->offset = {params.zero_point << kFractionBits};
        rq->ratio.resize(1);
        const double ratio = ParamsOf(input).scale / static_cast<double>(params.scale);
        if (!QuantizeRatio(ratio, &rq->ratio[0])) return RatioError(node, ratio);
        requantize.push_back(std::move(rq));
      }
      schema::ConcatT attributes;
      attributes.axis = AxisChannelsLast(std::get<Concat>(node.attributes).axis, ValueOf(node.output).shape.size());
      const int32_t out = AddValueTensor(node.output, params);
      AddOp(node.name, std::move(attributes), inputs, {out}).requantize = std::move(requantize);
    }
    return {};
  }

  Status EmitElementwise(const Node& node, const Elementwise& elementwise) {
    const int32_t in = Read(node.inputs[0], 8);
    for (const int width : plan_.widths[Index(node.output)]) EmitLookup(node, node.name, elementwise, in, width);
    return {};
  }

  // out = clip(function(in)) as a table over the input's codes.
  void EmitLookup(const Node& node, const std::string& name, const Elementwise& function, int32_t in, int width) {
    const QuantParams from = ParamsOf(in), to = ChooseParamsFor(node.output, width);
    schema::LookupT attributes;
    for (int code = 0; code <= MaxLevel(from.bits); ++code) {
      const float x = from.scale * static_cast<float>(code - from.zero_point);
      const double y = std::clamp(Apply(function, x), node.clip_low, node.clip_high);
      const double level = std::floor(y / to.scale + 0.5) + to.zero_point;
      attributes.table.push_back(static_cast<uint8_t>(std::clamp(level, 0.0, static_cast<double>(MaxLevel(to.bits)))));
    }
    AddOp(name, std::move(attributes), {in}, {AddValueTensor(node.output, to)});
  }

  // The second width of an op that can store only one: derived from the first.
  void EmitNarrower(const Node& node) {
    const std::vector<int>& widths = plan_.widths[Index(node.output)];
    if (widths.size() < 2) return;
    Node copy = node;  // its clip has been applied already
    copy.clip_low = -kInfinity;
    copy.clip_high = kInfinity;
    EmitLookup(copy, std::string(node.name).append("#").append(std::to_string(widths[1])), {}, ReadWidest(node.output),
               widths[1]);
  }

  // ---- Weight layers ----

  struct Layer {
    size_t channels = 0, taps = 1, k = 0;  // output channels, taps, input channels per group
    size_t groups = 1;
    std::vector<float> weights;  // [n][tap][k]
    std::vector<double> bias;    // [n]
    std::vector<uint8_t> pad_codes;
  };

  Layer ReadLayer(const Node& node) const {
    Layer layer;
    if (const Conv* conv = std::get_if<Conv>(&node.attributes)) {
      layer.channels = conv->bias.size();
      layer.groups = static_cast<size_t>(conv->groups);
      layer.taps = static_cast<size_t>(conv->window.kernel_h * conv->window.kernel_w);
      layer.k = conv->weights.size() / layer.channels / layer.taps;
      layer.bias.assign(conv->bias.begin(), conv->bias.end());
      layer.weights = ChannelsLastWeights(node, layer, conv->weights);
      return layer;
    }
    const Dense& dense = std::get<Dense>(node.attributes);
    layer.channels = dense.bias.size();
    layer.k = dense.weights.size() / layer.channels;
    layer.bias.assign(dense.bias.begin(), dense.bias.end());
    layer.weights = ChannelsLastWeights(node, layer, dense.weights);
    return layer;
  }

  // Weights or their codes from the graph's order to the file's, [n][tap][k].
  template <class T>
  std::vector<T> ChannelsLastWeights(const Node& node, const Layer& layer, const std::vector<T>& from) const {
    const Shape* flattened =
        std::holds_alternative<Dense>(node.attributes) ? flattened_[Index(node.inputs[0])] : nullptr;
    const size_t per_channel = layer.taps * layer.k;
    const size_t k_count = flattened ? static_cast<size_t>((*flattened)[1]) : layer.k, area = per_channel / k_count;
    std::vector<T> to(from.size());
    for (size_t n = 0; n < layer.channels; ++n)
      for (size_t t = 0; t < area; ++t)
        for (size_t k = 0; k < k_count; ++k)
          to[n * per_channel + t * k_count + k] = from[n * per_channel + k * area + t];
    return to;
  }

  QuantizedWeights ChooseWeights(const Node& node, const Layer& layer, const std::vector<float>& min_scale) const {
    const int bits = plan_.bits[node_].weights;
    if (const LearnedLayer* learned = FindLearnedLayer()) {
      QuantizedWeights weights = learned->weights;
      weights.codes = ChannelsLastWeights(node, layer, weights.codes);
      return weights;
    }
    WeightRule rule;
    if (options_.weight_codes == WeightCodes::kSquant) rule.squant = KernelLayout{layer.taps, /*is_tap_major=*/true};
    return QuantizeWeights(layer.weights, layer.channels, bits, options_.asymmetric_weights && bits <= 4, min_scale,
                           options_.num_threads, rule);
  }
  const LearnedLayer* FindLearnedLayer() const {
    if (!learned_) return nullptr;
    const auto it = learned_->layers.find(static_cast<int>(node_));
    return it == learned_->layers.end() ? nullptr : &it->second;
  }

  // real = (code - mean) / deviation -> weights / deviation, bias - sum(weights * mean / deviation).
  void FoldPreprocess(Layer* layer) const {
    const Preprocess& preprocess = options_.preprocess;
    const size_t channels_per_group = layer->channels / layer->groups;
    for (size_t n = 0; n < layer->channels; ++n) {
      for (size_t i = 0; i < layer->taps * layer->k; ++i) {
        const size_t c = n / channels_per_group * layer->k + i % layer->k;
        float& weight = layer->weights[n * layer->taps * layer->k + i];
        weight /= PerChannel(preprocess.stddev, c);
        layer->bias[n] -= static_cast<double>(weight) * PerChannel(preprocess.mean, c);
      }
    }
    bool is_zero = true;
    for (size_t c = 0; c < layer->groups * layer->k; ++c) {
      layer->pad_codes.push_back(
          static_cast<uint8_t>(std::clamp(std::lround(PerChannel(preprocess.mean, c)), 0L, 255L)));
      is_zero = is_zero && layer->pad_codes.back() == 0;
    }
    if (is_zero) layer->pad_codes.clear();
  }

  Status EmitWeightLayer(const Node& node) {
    Layer layer = ReadLayer(node);
    if (const LearnedLayer* learned = FindLearnedLayer(); learned && !learned->bias.empty())
      layer.bias.assign(learned->bias.begin(), learned->bias.end());
    const int32_t in = Read(node.inputs[0], plan_.bits[node_].activations);
    const QuantParams x = ParamsOf(in);
    if (is_input_folded_ && node.inputs[0] == graph_.input) FoldPreprocess(&layer);
    const size_t per_channel = layer.taps * layer.k;

    float largest = 0;
    for (const float w : layer.weights) largest = std::max(largest, std::abs(w));
    std::vector<float> min_scale(layer.channels, largest > 0 ? largest * 1e-7f : 1.0f);
    for (size_t n = 0; n < layer.channels; ++n)
      min_scale[n] =
          std::max(min_scale[n], static_cast<float>(std::ldexp(std::abs(layer.bias[n]) / x.scale, -kMaxBiasBits)));
    const int bits = plan_.bits[node_].weights;
    const QuantizedWeights quantized = ChooseWeights(node, layer, min_scale);

    auto weights = std::make_unique<schema::WeightsT>();
    weights->bits = static_cast<uint8_t>(bits);
    weights->segment = static_cast<uint32_t>(integer_.segments.size());
    weights->scale = quantized.scale;
    if (std::any_of(quantized.zero_point.begin(), quantized.zero_point.end(), [](int8_t z) { return z != 0; }))
      weights->zero_point = quantized.zero_point;
    weights->codebook = quantized.codebook;
    integer_.segments.push_back(PackCodes(quantized.codes, bits));
    std::vector<double> acc_scale(layer.channels);
    double largest_real = 0;  // |accumulator| in real units, over channels
    for (size_t n = 0; n < layer.channels; ++n) {
      acc_scale[n] = static_cast<double>(x.scale) * quantized.scale[n];
      int64_t sum = 0, bound = 0;
      for (size_t i = 0; i < per_channel; ++i) {
        const int value = quantized.Decoded(n * per_channel + i), zero = quantized.zero_point[n];
        sum += value - zero;
        bound += (std::abs(value) + std::abs(zero)) * MaxLevel(x.bits);
      }
      const int64_t bias = std::llround(layer.bias[n] / acc_scale[n]) - x.zero_point * sum;
      if (std::llabs(bias) >= int64_t{1} << 31)
        return Error(Code::kLimit, "%s: channel %zu: bias %lld does not fit 32 bits", node.name.c_str(), n,
                     static_cast<long long>(bias));
      weights->bias.push_back(ToInt32(bias));
      largest_real = std::max(largest_real, static_cast<double>(bound + std::llabs(bias)) * acc_scale[n]);
    }

    std::vector<int32_t> inputs{in}, outputs;
    if (node.inputs.size() > 1) inputs.push_back(ReadWidest(node.inputs[1]));
    std::vector<std::unique_ptr<schema::RequantizeT>> requantize;
    for (const int width : plan_.widths[Index(node.output)]) {
      const QuantParams params =
          width == kRawBits ? RawParams(largest_real, acc_scale, inputs) : ChooseParamsFor(node.output, width);
      auto rq = std::make_unique<schema::RequantizeT>();
      rq->offset = OffsetsFor(node.output, params);
      const LearnedActivation* learned = LearnedFor(node.output, width);
      rq->multiplier.resize(layer.channels);
      rq->shift.resize(layer.channels);
      for (size_t n = 0; n < layer.channels; ++n) {
        const double ratio = acc_scale[n] / OutputStep(params) * (learned ? learned->GainAt(n) : 1);
        if (!QuantizeMultiplier(ratio, &rq->multiplier[n], &rq->shift[n])) return RatioError(node, ratio);
      }
      if (inputs.size() > 1) {
        const double ratio = ParamsOf(inputs[1]).scale / OutputStep(params);
        rq->residual_ratio.resize(rq->offset.size());
        for (size_t c = 0; c < rq->residual_ratio.size(); ++c) {
          const double scaled = ratio * (learned ? learned->GainAt(c) : 1);
          if (!QuantizeRatio(scaled, &rq->residual_ratio[c])) return RatioError(node, scaled);
        }
      }
      outputs.push_back(AddValueTensor(node.output, params));
      requantize.push_back(std::move(rq));
    }
    if (const Conv* conv = std::get_if<Conv>(&node.attributes)) {
      schema::Conv2DT attributes = MakeConv(*conv);
      attributes.weights = std::move(weights);
      const Window& w = conv->window;
      if (w.pad_top || w.pad_left || w.pad_bottom || w.pad_right) attributes.pad_codes = layer.pad_codes;
      AddOp(node.name, std::move(attributes), inputs, outputs);
    } else {
      schema::DenseT attributes;
      attributes.weights = std::move(weights);
      AddOp(node.name, std::move(attributes), inputs, outputs);
    }
    integer_.model.ops.back()->requantize = std::move(requantize);
    provenance_.acc_scale.back() = std::move(acc_scale);
    return {};
  }

  static schema::Conv2DT MakeConv(const Conv& conv) {
    const Window& w = conv.window;
    schema::Conv2DT attributes;
    attributes.kernel_h = ToInt32(w.kernel_h), attributes.kernel_w = ToInt32(w.kernel_w);
    attributes.stride_h = ToInt32(w.stride_h), attributes.stride_w = ToInt32(w.stride_w);
    attributes.dilation_h = ToInt32(w.dilation_h), attributes.dilation_w = ToInt32(w.dilation_w);
    attributes.pad_top = ToInt32(w.pad_top), attributes.pad_left = ToInt32(w.pad_left);
    attributes.pad_bottom = ToInt32(w.pad_bottom), attributes.pad_right = ToInt32(w.pad_right);
    attributes.groups = ToInt32(conv.groups);
    return attributes;
  }

  // A raw output is v itself (Q.8), so one step of 256 of its units is what the multiplier divides by.
  static double OutputStep(const QuantParams& params) {
    return params.bits == kRawBits ? std::ldexp(params.scale, kFractionBits) : params.scale;
  }

  // Fine enough to lose nothing, no finer than the largest shift: one accumulator unit is at most 2^14 of it.
  QuantParams RawParams(double largest_real, const std::vector<double>& acc_scale,
                        const std::vector<int32_t>& inputs) const {
    double unit = std::max(std::ldexp(largest_real, -kRawOutputBits),
                           std::ldexp(*std::max_element(acc_scale.begin(), acc_scale.end()), -14));
    if (inputs.size() > 1) {
      const double residual = ParamsOf(inputs[1]).scale;
      unit = std::max({unit, std::ldexp(largest_real, -kRawOutputBitsWithResidual), std::ldexp(residual, -16)});
    }
    return {kRawBits, static_cast<float>(std::max(unit, 1e-30)), 0};
  }

  static Status RatioError(const Node& node, double ratio) {
    return Error(Code::kLimit, "%s: scale ratio %g between input and output is outside the format's range",
                 node.name.c_str(), ratio);
  }

  const Graph& graph_;
  const ActivationPlan& plan_;
  const std::vector<Histogram>& groups_;
  const ConvertOptions& options_;
  const LearnedQuantization* learned_;
  std::vector<std::vector<int>> consumers_;
  std::vector<WidthMap> tensors_;        // per value
  std::vector<const Shape*> flattened_;  // per value: stored in the channels-last order of this NCHW shape
  std::map<std::pair<int, int>, QuantParams> params_;  // per (group, width)
  bool is_input_folded_ = false;
  size_t node_ = 0;
  IntegerModel integer_;
  Provenance provenance_;
};

}  // namespace

Result<Quantized> Quantize(const Graph& graph, const ActivationPlan& plan, const std::vector<Histogram>& groups,
                           const ConvertOptions& options, const LearnedQuantization* learned) {
  return Quantizer(graph, plan, groups, options, learned).Run();
}

}  // namespace aq::converter
