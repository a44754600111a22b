// SPDX-License-Identifier: Apache-2.0
#include "converter/border_report.h"

#include <algorithm>
#include <cmath>

#include "converter/threads.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

constexpr double kMaxDecibels = 200;

BorderReport Describe(const schema::TensorT& tensor, const LearnedActivation* learned) {
  BorderReport report;
  report.tensor = tensor.name;
  report.bits = tensor.bits;
  report.zero_point = tensor.zero_point;
  report.scale = static_cast<double>(tensor.scale);
  report.border = tensor.border;
  report.thresholds = tensor.channel_thresholds;
  if (learned) {
    report.gain = learned->gain;
    report.offset = learned->offset;
  }
  return report;
}

// Nearest, on the same grid.
BorderReport WithoutBorder(const BorderReport& report) {
  BorderReport nearest;
  nearest.bits = report.bits;
  nearest.zero_point = report.zero_point;
  nearest.scale = report.scale;
  return nearest;
}

template <class T>
T AtChannel(const std::vector<T>& values, size_t c, T otherwise) {
  return values.empty() ? otherwise : values[values.size() == 1 ? 0 : c];
}

}  // namespace

void SignalNoise::Add(const FloatTensor& value, const schema::TensorT& tensor, size_t index,
                      std::span<const ImageCodes> images) {
  const bool is_wide = tensor.bits == 32;
  const double scale = static_cast<double>(tensor.scale);
  const double low = scale * (-tensor.zero_point - 0.5),
               high = scale * (MaxLevel(is_wide ? 8 : tensor.bits) - tensor.zero_point + 0.5);
  const size_t per_image = value.data.size() / images.size(), channels = static_cast<size_t>(tensor.shape.back()),
               area = per_image / channels;
  for (size_t i = 0; i < images.size(); ++i) {
    const Codes& codes = images[i][index];
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < area; ++p) {
        const double reference = static_cast<double>(value.data[i * per_image + c * area + p]);
        const size_t at = p * channels + c;
        const double real = scale * ((is_wide ? codes.wide[at] : codes.codes[at]) - tensor.zero_point);
        signal += reference * reference;
        noise += (reference - real) * (reference - real);
        clipped += !is_wide && (reference < low || reference > high);
      }
    }
  }
  values += value.data.size();
}

double SignalNoise::Decibels() const {
  if (noise <= 0) return kMaxDecibels;
  return signal <= 0 ? 0 : std::min(kMaxDecibels, 10 * std::log10(signal / noise));
}

uint8_t CodeOf(const BorderReport& border, size_t c, float x) {
  const double gain = static_cast<double>(AtChannel(border.gain, c, 1.0f));
  const int32_t offset = AtChannel(border.offset, c, border.zero_point << kFractionBits);
  const double v = std::floor(static_cast<double>(x) * gain * (1 << kFractionBits) / border.scale) + offset;
  const int64_t top = MaxLevel(border.bits) << kFractionBits;
  aq::Rounding rounding;
  rounding.bits = border.bits;
  std::copy(border.border.begin(), border.border.end(), rounding.border);
  const uint16_t* thresholds = border.thresholds.empty() ? nullptr : &border.thresholds[c * kThresholds];
  return static_cast<uint8_t>(
      QuantizeOne(static_cast<int64_t>(std::clamp(v, 0.0, static_cast<double>(top))), rounding, thresholds));
}

LoneLayerMeter::LoneLayerMeter(const Graph& graph, const ActivationPlan& plan, const Quantized& quantized,
                               const LearnedQuantization* learned, const Simulator* simulator, int num_threads)
    : quantized_(quantized), simulator_(simulator), num_threads_(num_threads), stored_(graph.values.size()) {
  const Provenance& provenance = quantized.provenance;
  for (size_t t = 0; t < provenance.value_of_tensor.size(); ++t) {
    const ValueId v = provenance.value_of_tensor[t];
    const schema::TensorT& tensor = *quantized.integer.model.tensors[t];
    if (v < 0 || v == graph.input || tensor.bits > 8) continue;
    const int group = plan.group[static_cast<size_t>(v)];
    // Copies of codes are taken as rounded to nearest here: close, and only lone layers behind them see it.
    Stored stored{t, plan.is_observed[static_cast<size_t>(v)], {}, 0, 0};
    stored.border = Describe(tensor, learned && stored.is_rounded ? learned->Find(group, tensor.bits) : nullptr);
    stored_[static_cast<size_t>(v)].push_back(std::move(stored));
  }
  for (size_t op = 0; op < quantized.integer.model.ops.size(); ++op) {
    const int node = provenance.node_of_op[op];
    if (node < 0 || !WeightsOf(*quantized.integer.model.ops[op])) continue;
    op_of_value_[graph.nodes[static_cast<size_t>(node)].output] = op;
  }
}

void LoneLayerMeter::Begin(std::span<const ImageCodes> images) {
  const size_t tensors = quantized_.integer.model.tensors.size();
  const size_t input = static_cast<size_t>(quantized_.integer.model.inputs[0]);
  images_.assign(images.size(), ImageCodes(tensors));
  for (size_t i = 0; i < images.size(); ++i) images_[i][input] = images[i][input];
}

void LoneLayerMeter::Observe(ValueId v, const FloatTensor& value) {
  if (const auto it = op_of_value_.find(v); it != op_of_value_.end()) {
    const schema::OpT& op = *quantized_.integer.model.ops[it->second];
    const size_t output = static_cast<size_t>(op.outputs[0]);
    const bool has_inputs = std::ranges::all_of(
        op.inputs, [&](int32_t input) { return !images_[0][static_cast<size_t>(input)].codes.empty(); });
    if (has_inputs) {
      std::vector<ImageCodes> alone(images_.size(), ImageCodes(images_[0].size()));
      ParallelFor(images_.size(), num_threads_, [&](size_t i) {
        for (const int32_t input : op.inputs)
          alone[i][static_cast<size_t>(input)] = images_[i][static_cast<size_t>(input)];
        simulator_->RunOp(it->second, &alone[i]);
      });
      sums_[it->second].Add(value, quantized_.integer.Tensor(op.outputs[0]), output, alone);
    }
  }
  for (Stored& stored : stored_[static_cast<size_t>(v)]) Round(value, &stored);
}

void LoneLayerMeter::Round(const FloatTensor& value, Stored* stored) {
  const BorderReport nearest = WithoutBorder(stored->border);
  const size_t per_image = value.data.size() / images_.size();
  const size_t channels = static_cast<size_t>(value.shape.size() > 1 ? value.shape[1] : 1);
  const size_t area = per_image / channels;
  for (size_t i = 0; i < images_.size(); ++i) {
    std::vector<uint8_t>& codes = images_[i][stored->tensor].codes;
    codes.resize(per_image);
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < area; ++p) {
        const float x = value.data[i * per_image + c * area + p];
        codes[p * channels + c] = CodeOf(stored->border, c, x);
        stored->moved += codes[p * channels + c] != CodeOf(nearest, c, x);
      }
    }
  }
  stored->values += value.data.size();
}

std::vector<BorderReport> LoneLayerMeter::Borders() const {
  std::vector<BorderReport> reports;
  for (const std::vector<Stored>& of_value : stored_) {
    for (const Stored& stored : of_value) {
      if (!stored.is_rounded) continue;
      reports.push_back(stored.border);
      if (stored.values > 0)
        reports.back().moved_percent = 100.0 * static_cast<double>(stored.moved) / static_cast<double>(stored.values);
    }
  }
  return reports;
}

double LoneLayerMeter::Decibels(size_t op) const {
  const auto it = sums_.find(op);
  return it == sums_.end() ? -1 : it->second.Decibels();
}

}  // namespace aq::converter
