// SPDX-License-Identifier: Apache-2.0
#include "converter/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "converter/recipe.h"
#include "converter/scaling.h"
#include "converter/training/rng.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

constexpr double kTails = 6;                                  // deviations that a histogram reaches
constexpr double kCounts = 1e6;                               // values of a histogram
constexpr int kQuantiles = 64;                                // of a distribution sent through a non-linearity
constexpr double kPixelMean = 127.5, kPixelDeviation = 73.9;  // uniform bytes

double Density(double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); }
double Normal(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

// z with Normal(z) = p, by bisection.
double InverseNormal(double p) {
  double low = -8, high = 8;
  for (int i = 0; i < 50; ++i) (Normal((low + high) / 2) < p ? low : high) = (low + high) / 2;
  return low;
}

// Mean and square of the clipped normal.
std::pair<double, double> ClippedMoments(const ChannelDistribution& d) {
  if (d.deviation <= 0) {
    const double value = std::clamp(d.mean, d.low, d.high);
    return {value, value * value};
  }
  double mean = 0, square = 0;
  const double a = (d.low - d.mean) / d.deviation, b = (d.high - d.mean) / d.deviation;
  if (std::isfinite(a)) mean += d.low * Normal(a), square += d.low * d.low * Normal(a);
  if (std::isfinite(b)) mean += d.high * Normal(-b), square += d.high * d.high * Normal(-b);
  const double pa = std::isfinite(a) ? Density(a) : 0, pb = std::isfinite(b) ? Density(b) : 0;
  const double inside = (std::isfinite(b) ? Normal(b) : 1) - (std::isfinite(a) ? Normal(a) : 0);
  mean += d.mean * inside + d.deviation * (pa - pb);
  square += (d.mean * d.mean + d.deviation * d.deviation) * inside + 2 * d.mean * d.deviation * (pa - pb) +
            d.deviation * d.deviation * ((std::isfinite(a) ? a * pa : 0) - (std::isfinite(b) ? b * pb : 0));
  return {mean, square};
}

class Propagation {
 public:
  Propagation(const Graph& graph, const Preprocess& preprocess) : graph_(graph), values_(graph.values.size()) {
    const Shape& shape = graph.values[static_cast<size_t>(graph.input)].shape;
    ValueDistribution& input = values_[static_cast<size_t>(graph.input)];
    for (size_t c = 0; c < static_cast<size_t>(shape.size() > 1 ? shape[1] : 1); ++c) {
      const double mean = static_cast<double>(PerChannel(preprocess.mean, shape.size() == 4 ? c : 0)),
                   deviation = static_cast<double>(PerChannel(preprocess.stddev, shape.size() == 4 ? c : 0));
      input.push_back({(kPixelMean - mean) / deviation, kPixelDeviation / deviation});
    }
  }

  Result<std::vector<ValueDistribution>> Run() {
    bool has_statistics = false;
    for (const Node& node : graph_.nodes) {
      ValueDistribution out = Output(node);
      for (ChannelDistribution& channel : out) {
        channel.low = std::max(channel.low, static_cast<double>(node.clip_low));
        channel.high = std::min(channel.high, static_cast<double>(node.clip_high));
      }
      values_[static_cast<size_t>(node.output)] = std::move(out);
      const Conv* conv = std::get_if<Conv>(&node.attributes);
      has_statistics = has_statistics || (conv && !conv->bn_mean.empty());
    }
    if (!has_statistics)
      return Error(Code::kUnsupported,
                   "conversion without images needs a network with BatchNorm: no convolution of this one knows the "
                   "distribution of its output");
    return std::move(values_);
  }

 private:
  const ValueDistribution& In(const Node& node, size_t i) const { return values_[static_cast<size_t>(node.inputs[i])]; }

  ValueDistribution Output(const Node& node) const {
    const Shape& shape = graph_.values[static_cast<size_t>(node.output)].shape;
    const size_t channels = static_cast<size_t>(shape.size() > 1 ? shape[1] : 1);
    ValueDistribution out(channels);
    if (IsWeightLayer(node)) {
      for (size_t n = 0; n < channels; ++n) out[n] = Product(node, n);
    } else if (std::holds_alternative<Mul>(node.attributes)) {
      for (size_t c = 0; c < channels; ++c) out[c] = Multiply(At(In(node, 0), c), At(In(node, 1), c));
      return out;
    } else if (const Elementwise* function = std::get_if<Elementwise>(&node.attributes)) {
      for (size_t c = 0; c < channels; ++c) out[c] = Map(At(In(node, 0), c), *function);
      return out;
    } else if (const Concat* concat = std::get_if<Concat>(&node.attributes); concat && concat->axis == 1) {
      out.clear();
      for (size_t i = 0; i < node.inputs.size(); ++i) out.insert(out.end(), In(node, i).begin(), In(node, i).end());
    } else if (!std::holds_alternative<Add>(node.attributes)) {
      for (size_t c = 0; c < channels; ++c) out[c] = Copy(node, c, channels);
    }
    const bool is_sum = std::holds_alternative<Add>(node.attributes);
    if (is_sum) {
      for (size_t c = 0; c < channels; ++c) out[c] = Sum(Independent(At(In(node, 0), c)), At(In(node, 1), c));
    } else if (IsWeightLayer(node) && node.inputs.size() > 1) {
      for (size_t c = 0; c < channels; ++c) out[c] = Sum(out[c], At(In(node, 1), c));
    }
    return out;
  }

  static const ChannelDistribution& At(const ValueDistribution& value, size_t c) {
    return value[value.size() == 1 ? 0 : std::min(c, value.size() - 1)];
  }
  static ChannelDistribution Independent(const ChannelDistribution& d) {
    return {d.ClippedMean(), d.ClippedDeviation()};
  }
  static ChannelDistribution Sum(const ChannelDistribution& a, const ChannelDistribution& b) {
    return {a.mean + b.ClippedMean(), std::hypot(a.deviation, b.ClippedDeviation())};
  }
  static ChannelDistribution Multiply(const ChannelDistribution& a, const ChannelDistribution& b) {
    const double ma = a.ClippedMean(), mb = b.ClippedMean(), sa = a.ClippedDeviation(), sb = b.ClippedDeviation();
    return {ma * mb, std::sqrt(ma * ma * sb * sb + mb * mb * sa * sa + sa * sa * sb * sb)};
  }
  // Moments of function(x) from quantiles of x; its smallest and largest value bound what follows.
  static ChannelDistribution Map(const ChannelDistribution& x, const Elementwise& function) {
    double sum = 0, square = 0, low = std::numeric_limits<double>::max(), high = -low;
    for (int i = 0; i < kQuantiles; ++i) {
      const double z = InverseNormal((i + 0.5) / kQuantiles);
      const double y =
          static_cast<double>(Apply(function, static_cast<float>(std::clamp(x.mean + z * x.deviation, x.low, x.high))));
      sum += y, square += y * y;
      low = std::min(low, y), high = std::max(high, y);
    }
    const double mean = sum / kQuantiles, spread = high - low;
    return {mean, std::sqrt(std::max(0.0, square / kQuantiles - mean * mean)), low - spread / 8, high + spread / 8};
  }

  // A channel of a convolution or dense layer, before its clip: BatchNorm's word, else a sum over its inputs.
  ChannelDistribution Product(const Node& node, size_t n) const {
    const Conv* conv = std::get_if<Conv>(&node.attributes);
    if (conv && !conv->bn_mean.empty())
      return {static_cast<double>(conv->bn_mean[n]), static_cast<double>(conv->bn_stddev[n])};
    const std::vector<float>& weights = conv ? conv->weights : std::get<Dense>(node.attributes).weights;
    const std::vector<float>& bias = conv ? conv->bias : std::get<Dense>(node.attributes).bias;
    const size_t taps = conv ? static_cast<size_t>(conv->window.kernel_h * conv->window.kernel_w) : 1;
    const size_t row = weights.size() / bias.size(), inputs = row / taps;
    const size_t group = conv ? n / (bias.size() / static_cast<size_t>(conv->groups)) : 0;
    double mean = static_cast<double>(bias[n]), variance = 0;
    for (size_t i = 0; i < row; ++i) {
      const double w = static_cast<double>(weights[n * row + i]);
      const ChannelDistribution& x = At(In(node, 0), group * inputs + i / taps);
      mean += w * x.ClippedMean();
      variance += std::pow(w * x.ClippedDeviation(), 2);
    }
    return {mean, std::sqrt(variance)};
  }

  // Pooling, reshape, slice, pad, transpose: the distribution of the channel the values come from.
  ChannelDistribution Copy(const Node& node, size_t c, size_t channels) const {
    const ValueDistribution& in = In(node, 0);
    size_t from = c;
    if (std::holds_alternative<Reshape>(node.attributes) && channels > in.size()) from = c / (channels / in.size());
    if (const Slice* slice = std::get_if<Slice>(&node.attributes))
      from = static_cast<size_t>(slice->begin[1]) + c * static_cast<size_t>(slice->stride[1]);
    if (const Pad* pad = std::get_if<Pad>(&node.attributes)) {
      const int64_t shifted = static_cast<int64_t>(c) - pad->before[1];
      if (shifted < 0 || shifted >= static_cast<int64_t>(in.size())) return {0, 0};
      from = static_cast<size_t>(shifted);
    }
    return At(in, from);
  }

  const Graph& graph_;
  std::vector<ValueDistribution> values_;
};

// Ranges of clipped normals reach kTails deviations or the clip, whichever is nearer.
Range Extremes(const ChannelDistribution& d) {
  return {static_cast<float>(std::clamp(d.mean - kTails * d.deviation, d.low, d.high)),
          static_cast<float>(std::clamp(d.mean + kTails * d.deviation, d.low, d.high))};
}

void AddTo(Histogram* histogram, const ValueDistribution& value) {
  const double width = static_cast<double>(histogram->range.high - histogram->range.low) / kHistogramBins;
  const double weight = kCounts / static_cast<double>(value.size());
  for (const ChannelDistribution& channel : value) {
    const double zeros = channel.low == 0 ? channel.Cumulative(0) : 0;  // what ReLU cut
    histogram->zeros += static_cast<uint64_t>(std::llround(weight * zeros));
    if (width <= 0) continue;
    double below = zeros;
    for (size_t bin = 0; bin < kHistogramBins; ++bin) {
      const double edge = static_cast<double>(histogram->range.low) + width * static_cast<double>(bin + 1);
      const double upto = bin + 1 == kHistogramBins ? 1 : std::max(below, channel.Cumulative(edge));
      histogram->bins[bin] += static_cast<uint64_t>(std::llround(weight * (upto - below)));
      below = upto;
    }
  }
}

}  // namespace

double ChannelDistribution::ClippedMean() const { return ClippedMoments(*this).first; }

double ChannelDistribution::ClippedDeviation() const {
  const auto [mean_of, square] = ClippedMoments(*this);
  return std::sqrt(std::max(0.0, square - mean_of * mean_of));
}

double ChannelDistribution::Cumulative(double x) const {
  if (x < low) return 0;
  if (x >= high) return 1;
  return deviation > 0 ? Normal((x - mean) / deviation) : x >= mean ? 1 : 0;
}

Result<std::vector<ValueDistribution>> PropagateStatistics(const Graph& graph, const Preprocess& preprocess) {
  return Propagation(graph, preprocess).Run();
}

Calibration CalibrateFromStatistics(const Graph& graph, const ActivationPlan& plan,
                                    const std::vector<ValueDistribution>& distributions) {
  Calibration calibration;
  calibration.groups.resize(graph.values.size());
  std::vector<bool> is_used(graph.values.size());
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!plan.is_observed[v]) continue;
    const size_t group = static_cast<size_t>(plan.group[v]);
    for (const ChannelDistribution& channel : distributions[v]) {
      const Range range = Extremes(channel);
      Range& all = calibration.groups[group].range;
      all = is_used[group] ? Range{std::min(all.low, range.low), std::max(all.high, range.high)} : range;
      is_used[group] = true;
    }
  }
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (plan.is_observed[v]) AddTo(&calibration.groups[static_cast<size_t>(plan.group[v])], distributions[v]);
  return calibration;
}

Status CorrectBiasesFromStatistics(const Graph& graph, const std::vector<ValueDistribution>& distributions,
                                   Quantized* quantized) {
  IntegerModel& integer = quantized->integer;
  for (size_t index = 0; index < integer.model.ops.size(); ++index) {
    schema::OpT& op = *integer.model.ops[index];
    schema::WeightsT* weights = WeightsOf(op);
    const int node_index = quantized->provenance.node_of_op[index];
    if (!weights || node_index < 0) continue;
    const Node& node = graph.nodes[static_cast<size_t>(node_index)];
    // The first layer's preprocessing is folded; a flattened image is stored in another order. Both have 8 bits as a
    // rule, and are left alone.
    if (node.inputs[0] == graph.input ||
        quantized->provenance.value_of_tensor[static_cast<size_t>(op.inputs[0])] != node.inputs[0])
      continue;
    const ValueDistribution& x = distributions[static_cast<size_t>(node.inputs[0])];
    const Conv* conv = std::get_if<Conv>(&node.attributes);
    const std::vector<float>& reference = conv ? conv->weights : std::get<Dense>(node.attributes).weights;
    const std::vector<uint8_t>& codes = integer.segments[weights->segment];
    const int8_t* codebook = weights->codebook.empty() ? nullptr : weights->codebook.data();
    const double x_scale = static_cast<double>(integer.Tensor(op.inputs[0]).scale);
    const std::vector<double>& acc_scale = quantized->provenance.acc_scale[index];
    const size_t channels = weights->bias.size(), row = reference.size() / channels;
    const size_t taps = conv ? static_cast<size_t>(conv->window.kernel_h * conv->window.kernel_w) : 1, k = row / taps;
    std::vector<double> means;
    for (const ChannelDistribution& channel : x) means.push_back(channel.ClippedMean());
    for (size_t n = 0; n < channels; ++n) {
      const size_t group = conv ? n / (channels / static_cast<size_t>(conv->groups)) : 0;
      const int zero = weights->zero_point.empty() ? 0 : weights->zero_point[n];
      double shift = 0;  // mean of the quantised channel less the float one's
      for (size_t i = 0; i < row; ++i) {
        const int code = DecodeWeight(CodeAt(codes.data(), n * row + i, weights->bits), weights->bits, codebook) - zero;
        const double error =
            code * acc_scale[n] / x_scale - static_cast<double>(reference[n * row + i % k * taps + i / k]);
        shift += error * means[std::min(group * k + i % k, means.size() - 1)];
      }
      const double bias = weights->bias[n] - std::round(shift / acc_scale[n]);
      if (!(std::abs(bias) < std::numeric_limits<int32_t>::max()))
        return Error(Code::kLimit, "%s: channel %zu: corrected bias %g does not fit 32 bits", op.name.c_str(), n, bias);
      weights->bias[n] = static_cast<int32_t>(bias);
    }
    AQ_RETURN_IF_ERROR(ProveOpRanges(integer, op));
  }
  return {};
}

Status NoiseImages::Load(size_t i, std::vector<uint8_t>* pixels) const {
  pixels->resize(bytes_);
  const training::RandomKey key{seed_, i, 0};
  for (size_t j = 0; j < bytes_; ++j) (*pixels)[j] = static_cast<uint8_t>(training::SplitMix64(key.Base() + j));
  return {};
}

}  // namespace aq::converter
