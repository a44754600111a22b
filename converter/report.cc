// SPDX-License-Identifier: Apache-2.0
#include "converter/report.h"

#include <algorithm>
#include <cstdio>

#include "converter/recipe.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

// Float weights against their codes. The first layer's codes hold the folded deviation: compare up to that factor.
double WeightDecibels(const Node& node, const schema::OpT& op, const IntegerModel& integer) {
  const schema::WeightsT& weights = *WeightsOf(op);
  const Conv* conv = std::get_if<Conv>(&node.attributes);
  const std::vector<float>& reference = conv ? conv->weights : std::get<Dense>(node.attributes).weights;
  const size_t channels = weights.bias.size(), per_channel = reference.size() / channels;
  const size_t taps = conv ? static_cast<size_t>(conv->window.kernel_h * conv->window.kernel_w) : 1,
               k = per_channel / taps;
  const std::vector<uint8_t>& codes = integer.segments[weights.segment];
  const int8_t* codebook = weights.codebook.empty() ? nullptr : weights.codebook.data();
  double signal = 0, noise = 0;
  for (size_t n = 0; n < channels; ++n) {
    // Least-squares factor between both, 1 unless something was folded into the codes.
    double cross = 0, square = 0, channel_signal = 0;
    for (size_t i = 0; i < per_channel; ++i) {
      const double w = reference[n * per_channel + (i % k) * taps + i / k];
      const int zero = weights.zero_point.empty() ? 0 : weights.zero_point[n];
      const double q =
          DecodeWeight(CodeAt(codes.data(), n * per_channel + i, weights.bits), weights.bits, codebook) - zero;
      cross += w * q;
      square += q * q;
      channel_signal += w * w;
    }
    signal += channel_signal;
    noise += channel_signal - (square > 0 ? cross * cross / square : 0);
  }
  return SignalNoise{signal, std::max(noise, signal * 1e-20)}.Decibels();
}

}  // namespace

LayerMeter::LayerMeter(const Graph& graph, const Quantized& quantized, LoneLayerMeter* alone)
    : graph_(graph),
      quantized_(quantized),
      tensor_of_value_(graph.values.size(), -1),
      alone_(alone),
      sums_(graph.values.size()) {
  const auto& ops = quantized.integer.model.ops;
  for (size_t i = 0; i < ops.size(); ++i) {
    const int node = quantized.provenance.node_of_op[i];
    if (node < 0 || !WeightsOf(*ops[i])) continue;
    tensor_of_value_[static_cast<size_t>(graph.nodes[static_cast<size_t>(node)].output)] = ops[i]->outputs[0];
  }
}

Status LayerMeter::Add(FloatExecutor* executor, const FloatTensor& input, std::span<const ImageCodes> images) {
  if (alone_) alone_->Begin(images);
  const auto observe = [&](ValueId v, const FloatTensor& value) {
    const int32_t tensor = tensor_of_value_[static_cast<size_t>(v)];
    if (tensor >= 0)
      sums_[static_cast<size_t>(v)].Add(value, quantized_.integer.Tensor(tensor), static_cast<size_t>(tensor), images);
    if (alone_) alone_->Observe(v, value);
  };
  AQ_ASSIGN_OR_RETURN(const std::vector<FloatTensor> unused, executor->Run(input, observe));
  return {};
}

std::vector<LayerReport> LayerMeter::Reports() const {
  std::vector<LayerReport> reports;
  const auto& ops = quantized_.integer.model.ops;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!WeightsOf(*ops[i])) continue;
    const size_t node_index = static_cast<size_t>(quantized_.provenance.node_of_op[i]);
    const Node& node = graph_.nodes[node_index];
    const SignalNoise& sums = sums_[static_cast<size_t>(node.output)];
    LayerReport report;
    report.name = node.name;
    report.op = OpName(node.attributes);
    char bits[16];
    std::snprintf(bits, sizeof bits, "w%da%d", WeightsOf(*ops[i])->bits,
                  quantized_.integer.Tensor(ops[i]->inputs[0]).bits);
    report.kernel_bits = bits;
    report.sqnr_db = sums.Decibels();
    report.own_sqnr_db = alone_ ? alone_->Decibels(i) : -1;
    report.weight_sqnr_db = WeightDecibels(node, *ops[i], quantized_.integer);
    report.clipped_percent =
        sums.values ? 100.0 * static_cast<double>(sums.clipped) / static_cast<double>(sums.values) : 0;
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace aq::converter
