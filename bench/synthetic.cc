// SPDX-License-Identifier: Apache-2.0
// Implements synthetic.h.
#include "bench/synthetic.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "kernels/numerics.h"
#include "runtime/container.h"
#include "schema/model_generated.h"

namespace aq::bench {
namespace {

constexpr int kLookupBits = 8;
constexpr uint8_t kPadCodes[] = {124, 116, 104};  // ImageNet's mean pixel

// Fixed pseudo-random bits (SplitMix64): two runs measure the same file.
class Random {
 public:
  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t x = state_;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
  }
  int Uniform(int low, int high) { return low + static_cast<int>(Next() % static_cast<uint64_t>(high - low + 1)); }

 private:
  uint64_t state_ = 1;
};

class SyntheticBuilder {
 public:
  SyntheticBuilder(const Network& network, const SyntheticOptions& options) : network_(network), options_(options) {}

  std::vector<uint8_t> WholeNetwork() {
    CollectWidths();
    tensors_[{kImage, 8}] = AddImage();
    for (size_t i = 0; i < network_.ops.size(); ++i) {
      if (network_.ops[i].has_weights()) {
        EmitLayer(i);
      } else {
        for (const int width : widths_[i]) EmitPool(i, width);
      }
    }
    return Finish();
  }

  std::vector<uint8_t> OneLayer(size_t op) {
    const ConvGeometry& g = network_.ops[op].geometry;
    const LayerBits bits = BitsOfLayer(network_, op, options_.bits);
    const int32_t codes = AddTensor({1, g.in_h, g.in_w, g.in_c}, kLookupBits, 0);
    const int32_t input = AddTensor({1, g.in_h, g.in_w, g.in_c}, bits.input, 0);
    model_.inputs.push_back(codes);
    schema::LookupT lookup;
    for (int code = 0; code < 1 << kLookupBits; ++code) {
      lookup.table.push_back(static_cast<uint8_t>(code >> (kLookupBits - bits.input)));
    }
    AddOp("input", std::move(lookup), {codes}, {input});
    EmitLayer(op, input, kNone, {bits.output});
    return Finish();
  }

 private:
  const NetworkOp& OpAt(size_t op) const { return network_.ops[op]; }

  // What the converter's plan gives: the width each consumer's recipe asks for, 8 bits where only sums read a tensor.
  void CollectWidths() {
    widths_.resize(network_.ops.size());
    const auto demand = [&](int op, int width) {
      if (op != kImage) widths_[static_cast<size_t>(op)].insert(width);
    };
    for (size_t i = network_.ops.size(); i-- > 0;) {
      const NetworkOp& op = OpAt(i);
      if (i + 1 == network_.ops.size()) widths_[i] = {32};
      if (widths_[i].empty()) widths_[i] = {8};
      if (op.has_weights()) {
        demand(op.input, BitsOfLayer(network_, i, options_.bits).input);
      } else if (op.kind == NetworkOpKind::kMaxPool) {
        for (const int width : widths_[i]) demand(op.input, width);
      } else {
        demand(op.input, 8);
      }
    }
  }

  // The tensor that holds an op's result with at least this many bits.
  int32_t Read(int op, int width) const {
    for (int wide = width; wide < 8; wide *= 2) {
      if (const auto it = tensors_.find({op, wide}); it != tensors_.end()) return it->second;
    }
    return tensors_.at({op, 8});
  }
  int32_t ReadWidest(int op) const { return Read(op, *widths_[static_cast<size_t>(op)].begin()); }

  int32_t AddImage() {
    const ConvGeometry& g = network_.ops[0].geometry;
    model_.inputs.push_back(AddTensor({1, g.in_h, g.in_w, g.in_c}, 8, 0));
    return model_.inputs.back();
  }

  int32_t AddTensor(std::vector<int32_t> shape, int bits, int zero_point) {
    auto tensor = std::make_unique<schema::TensorT>();
    tensor->name = "tensor_" + std::to_string(model_.tensors.size());
    tensor->bits = static_cast<uint8_t>(bits);
    tensor->zero_point = static_cast<uint8_t>(zero_point);
    tensor->shape = std::move(shape);
    model_.tensors.push_back(std::move(tensor));
    return static_cast<int32_t>(model_.tensors.size()) - 1;
  }

  // An op's own result; only these are rounded, so only these have borders.
  int32_t AddResult(size_t op, int bits) {
    const ConvGeometry& g = OpAt(op).geometry;
    const int zero_point = OpAt(op).is_linear && bits != 32 ? (MaxLevel(bits) + 1) / 2 : 0;
    const int32_t index = AddTensor({1, g.out_h, g.out_w, g.out_c}, bits, zero_point);
    tensors_[{static_cast<int>(op), bits}] = index;
    if (options_.border == Border::kNearest || bits == 32) return index;
    schema::TensorT& tensor = *model_.tensors.back();
    if (bits == 2) {
      for (int i = 0; i < g.out_c; ++i) {
        for (const int level : {64, 320, 576}) {
          tensor.channel_thresholds.push_back(static_cast<uint16_t>(level + random_.Uniform(0, 127)));
        }
      }
    } else {
      for (int i = 0; i < kBorderEntries; ++i) tensor.border.push_back(static_cast<uint8_t>(random_.Uniform(64, 191)));
    }
    return index;
  }

  template <class Attributes>
  schema::OpT& AddOp(const std::string& name, Attributes attributes, std::vector<int32_t> inputs,
                     std::vector<int32_t> outputs) {
    auto op = std::make_unique<schema::OpT>();
    op->name = name;
    op->attributes.Set(std::move(attributes));
    op->inputs = std::move(inputs);
    op->outputs = std::move(outputs);
    model_.ops.push_back(std::move(op));
    return *model_.ops.back();
  }

  static void AddMultiplier(double factor, schema::RequantizeT* requantize) {
    int exponent = 0;
    const double fraction = std::frexp(factor * (1 << kFractionBits), &exponent);
    requantize->multiplier.push_back(static_cast<int32_t>(std::min(fraction * 2147483648.0, 2147483647.0)));
    requantize->shift.push_back(static_cast<int8_t>(-exponent));
  }

  // Weights as the converter writes them: below 8 bits asymmetric, at 2 bits with its codebook of half steps.
  std::unique_ptr<schema::WeightsT> MakeWeights(const ConvGeometry& g, int bits, int max_code, double* deviation) {
    const size_t n = static_cast<size_t>(g.out_c);
    const size_t per_channel = static_cast<size_t>(g.kernel_h * g.kernel_w * (g.in_c / g.groups));
    auto weights = std::make_unique<schema::WeightsT>();
    weights->bits = static_cast<uint8_t>(bits);
    weights->segment = static_cast<uint32_t>(segments_.size());
    weights->scale.assign(n, 0.125f);
    if (bits == 2) weights->codebook = {0, 2, -4, -2};
    std::vector<uint8_t> codes((n * per_channel * static_cast<size_t>(bits) + 7) / 8);
    for (uint8_t& byte : codes) {
      byte = static_cast<uint8_t>(random_.Next() >> 56);
      if (bits == 8 && byte == 0x80) byte = 0x81;  // -128 stays unused
    }
    const int8_t* codebook = weights->codebook.empty() ? nullptr : weights->codebook.data();
    double squares = 0;
    for (size_t channel = 0; channel < n; ++channel) {
      const int zero_point = bits <= 4 ? random_.Uniform(-1, 1) : 0;
      if (bits <= 4) weights->zero_point.push_back(static_cast<int8_t>(zero_point));
      int64_t sum = 0;
      for (size_t i = 0; i < per_channel; ++i) {
        const int value = DecodeWeight(CodeAt(codes.data(), channel * per_channel + i, bits), bits, codebook);
        sum += value - zero_point;
        squares += (value - zero_point) * (value - zero_point);
      }
      weights->bias.push_back(static_cast<int32_t>(-sum * max_code / 2));
    }
    *deviation = 1 + std::sqrt(squares / static_cast<double>(n)) * max_code * 0.3;
    segments_.push_back(std::move(codes));
    return weights;
  }

  void EmitLayer(size_t index) {
    const NetworkOp& op = OpAt(index);
    const int32_t input = Read(op.input, BitsOfLayer(network_, index, options_.bits).input);
    EmitLayer(index, input, op.residual, widths_[index]);
  }

  void EmitLayer(size_t index, int32_t input, int residual, const std::set<int, std::greater<>>& widths) {
    const NetworkOp& op = OpAt(index);
    const LayerBits bits = BitsOfLayer(network_, index, options_.bits);
    double deviation = 1;
    auto weights = MakeWeights(op.geometry, bits.weights, MaxLevel(bits.input), &deviation);
    std::vector<int32_t> inputs{input}, outputs;
    if (residual != kNone) inputs.push_back(ReadWidest(residual));
    std::vector<std::unique_ptr<schema::RequantizeT>> requantize;
    for (const int width : widths) {
      outputs.push_back(AddResult(index, width));
      requantize.push_back(MakeRequantize(op, width, deviation, residual != kNone));
    }
    const std::string name = "layer_" + std::to_string(index);
    schema::OpT& added = op.kind == NetworkOpKind::kDense
                             ? AddOp(name, MakeDense(std::move(weights)), inputs, outputs)
                             : AddOp(name, MakeConvolution(op, std::move(weights)), inputs, outputs);
    added.requantize = std::move(requantize);
  }

  // Spreads accumulators of this deviation over the output's levels.
  std::unique_ptr<schema::RequantizeT> MakeRequantize(const NetworkOp& op, int width, double deviation,
                                                      bool has_residual) {
    auto requantize = std::make_unique<schema::RequantizeT>();
    const int levels = MaxLevel(width == 32 ? 8 : width);
    for (int channel = 0; channel < op.geometry.out_c; ++channel) {
      AddMultiplier(levels / (3 * deviation) * random_.Uniform(80, 125) / 100, requantize.get());
    }
    const int zero_point = op.is_linear && width != 32 ? (levels + 1) / 2 : 0;
    requantize->offset.push_back(zero_point << kFractionBits);
    if (has_residual) requantize->residual_ratio.push_back(3 << 10);
    return requantize;
  }

  static schema::DenseT MakeDense(std::unique_ptr<schema::WeightsT> weights) {
    schema::DenseT dense;
    dense.weights = std::move(weights);
    return dense;
  }

  static schema::Conv2DT MakeConvolution(const NetworkOp& op, std::unique_ptr<schema::WeightsT> weights) {
    const ConvGeometry& g = op.geometry;
    schema::Conv2DT conv;
    conv.weights = std::move(weights);
    SetWindow(g, &conv);
    conv.groups = g.groups;
    if (op.input == kImage) conv.pad_codes.assign(std::begin(kPadCodes), std::end(kPadCodes));
    return conv;
  }

  template <class Attributes>
  static void SetWindow(const ConvGeometry& g, Attributes* to) {
    to->kernel_h = g.kernel_h, to->kernel_w = g.kernel_w;
    to->stride_h = g.stride_h, to->stride_w = g.stride_w;
    to->pad_top = to->pad_bottom = g.pad_top;
    to->pad_left = to->pad_right = g.pad_left;
  }

  void EmitPool(size_t index, int width) {
    const NetworkOp& op = OpAt(index);
    schema::PoolT pool;
    SetWindow(op.geometry, &pool);
    const int32_t input = Read(op.input, width), output = AddResult(index, width);
    const std::string name = "pool_" + std::to_string(index);
    if (op.kind == NetworkOpKind::kMaxPool) {
      *model_.tensors.back() = *CopyOf(input, output);
      AddOp(name, pool, {input}, {output});
      return;
    }
    pool.kind = schema::PoolKind::Average;
    pool.count_include_pad = true;
    auto requantize = std::make_unique<schema::RequantizeT>();
    AddMultiplier(1.0 / (op.geometry.kernel_h * op.geometry.kernel_w), requantize.get());
    requantize->offset.push_back(0);
    AddOp(name, pool, {input}, {output}).requantize.push_back(std::move(requantize));
  }

  // A maximum is a code of its input: the quantisation of `from` with the name and shape of `to`.
  std::unique_ptr<schema::TensorT> CopyOf(int32_t from, int32_t to) const {
    auto tensor = std::make_unique<schema::TensorT>(*model_.tensors[static_cast<size_t>(from)]);
    tensor->name = model_.tensors[static_cast<size_t>(to)]->name;
    tensor->shape = model_.tensors[static_cast<size_t>(to)]->shape;
    return tensor;
  }

  std::vector<uint8_t> Finish() {
    model_.outputs = model_.ops.back()->outputs;
    model_.segments = LayoutSegments(segments_);
    flatbuffers::FlatBufferBuilder builder;
    schema::FinishModelBuffer(builder, schema::Model::Pack(builder, &model_));
    return AssembleFile({builder.GetBufferPointer(), builder.GetSize()}, segments_);
  }

  const Network& network_;
  const SyntheticOptions options_;
  Random random_;
  schema::ModelT model_;
  std::vector<std::vector<uint8_t>> segments_;
  std::vector<std::set<int, std::greater<>>> widths_;  // of each op's result
  std::map<std::pair<int, int>, int32_t> tensors_;     // (op, width) -> tensor
};

}  // namespace

std::vector<uint8_t> SyntheticNetwork(const Network& network, const SyntheticOptions& options) {
  return SyntheticBuilder(network, options).WholeNetwork();
}

std::vector<uint8_t> SyntheticLayer(const Network& network, size_t op, const SyntheticOptions& options) {
  return SyntheticBuilder(network, options).OneLayer(op);
}

}  // namespace aq::bench
