// SPDX-License-Identifier: Apache-2.0
#include "converter/report.h"

#include <cmath>
#include <cstdio>

#include "converter/recipe.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

constexpr double kMaxDecibels = 200;  // of a perfect match

double Decibels(double signal, double noise) {
  if (noise <= 0) return kMaxDecibels;
  return signal <= 0 ? 0 : std::min(kMaxDecibels, 10 * std::log10(signal / noise));
}

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
  return Decibels(signal, std::max(noise, signal * 1e-20));
}

}  // namespace

LayerMeter::LayerMeter(const Graph& graph, const ActivationPlan& plan, const Quantized& quantized)
    : graph_(graph),
      plan_(plan),
      quantized_(quantized),
      tensor_of_value_(graph.values.size(), -1),
      sums_(graph.values.size()) {
  const auto& ops = quantized.integer.model.ops;
  for (size_t i = 0; i < ops.size(); ++i) {
    const int node = quantized.provenance.node_of_op[i];
    if (node < 0 || !WeightsOf(*ops[i])) continue;
    tensor_of_value_[static_cast<size_t>(graph.nodes[static_cast<size_t>(node)].output)] = ops[i]->outputs[0];
  }
}

Status LayerMeter::Add(FloatExecutor* executor, const FloatTensor& input, std::span<const ImageCodes> images) {
  const auto observe = [&](ValueId v, const FloatTensor& value) {
    const int32_t tensor = tensor_of_value_[static_cast<size_t>(v)];
    if (tensor >= 0) Compare(value, tensor, images, &sums_[static_cast<size_t>(v)]);
  };
  AQ_ASSIGN_OR_RETURN(const std::vector<FloatTensor> unused, executor->Run(input, observe));
  return {};
}

void LayerMeter::Compare(const FloatTensor& value, int32_t index, std::span<const ImageCodes> images,
                         Sums* sums) const {
  const schema::TensorT& tensor = quantized_.integer.Tensor(index);
  const bool is_wide = tensor.bits == 32;
  const double scale = tensor.scale;
  const double low = scale * (-tensor.zero_point - 0.5),
               high = scale * (MaxLevel(is_wide ? 8 : tensor.bits) - tensor.zero_point + 0.5);
  const size_t per_image = value.data.size() / images.size(), channels = static_cast<size_t>(tensor.shape.back()),
               area = per_image / channels;
  for (size_t i = 0; i < images.size(); ++i) {
    const Codes& codes = images[i][static_cast<size_t>(index)];
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < area; ++p) {
        const double reference = value.data[i * per_image + c * area + p];
        const size_t at = p * channels + c;
        const double real = scale * ((is_wide ? codes.wide[at] : codes.codes[at]) - tensor.zero_point);
        sums->signal += reference * reference;
        sums->noise += (reference - real) * (reference - real);
        sums->clipped += !is_wide && (reference < low || reference > high);
      }
    }
  }
  sums->values += value.data.size();
}

std::vector<LayerReport> LayerMeter::Reports() const {
  std::vector<LayerReport> reports;
  const auto& ops = quantized_.integer.model.ops;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!WeightsOf(*ops[i])) continue;
    const size_t node_index = static_cast<size_t>(quantized_.provenance.node_of_op[i]);
    const Node& node = graph_.nodes[node_index];
    const Sums& sums = sums_[static_cast<size_t>(node.output)];
    LayerReport report;
    report.name = node.name;
    report.op = OpName(node.attributes);
    char bits[16];
    std::snprintf(bits, sizeof bits, "w%da%d", WeightsOf(*ops[i])->bits,
                  quantized_.integer.Tensor(ops[i]->inputs[0]).bits);
    report.kernel_bits = bits;
    report.sqnr_db = Decibels(sums.signal, sums.noise);
    report.weight_sqnr_db = WeightDecibels(node, *ops[i], quantized_.integer);
    report.clipped_percent =
        sums.values ? 100.0 * static_cast<double>(sums.clipped) / static_cast<double>(sums.values) : 0;
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace aq::converter
