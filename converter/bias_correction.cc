// SPDX-License-Identifier: Apache-2.0
#include "converter/bias_correction.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "converter/calibrate.h"
#include "converter/float_executor.h"
#include "converter/recipe.h"
#include "converter/scaling.h"
#include "converter/simulate.h"
#include "converter/threads.h"

namespace aq::converter {
namespace {

constexpr size_t kMaxLargestTensorBytes = size_t{64} << 20;  // of all images together
constexpr size_t kMinImages = 16;

using Means = std::vector<std::vector<double>>;  // [node][channel]

// The graph with every fused clip of a weight layer as a node of its own: its output is then the pre-activation.
Graph SplitActivations(const Graph& graph, std::vector<ValueId>* pre_activation) {
  Graph split = graph;
  split.nodes.clear();
  for (const Node& node : graph.nodes) {
    pre_activation->push_back(node.output);
    split.nodes.push_back(node);
    if (!IsWeightLayer(node) || !node.has_clip()) continue;
    Node& layer = split.nodes.back();
    layer.clip_low = -kInfinity;
    layer.clip_high = kInfinity;
    const ValueId value = static_cast<ValueId>(split.values.size());
    split.values.push_back({node.name + "/pre_activation", split.values[static_cast<size_t>(node.output)].shape});
    layer.output = value;
    pre_activation->back() = value;
    Node clip{node.name + "/clip", Elementwise{}, {value}, node.output};
    clip.clip_low = node.clip_low;
    clip.clip_high = node.clip_high;
    clip.channel_clip_high = node.channel_clip_high;
    split.nodes.push_back(std::move(clip));
  }
  return split;
}

// Means over images and pixels of a NCHW tensor, added to `sums`.
void AddChannelSums(const FloatTensor& tensor, size_t channels, std::vector<double>* sums) {
  const size_t images = static_cast<size_t>(tensor.shape[0]), area = tensor.data.size() / images / channels;
  sums->resize(channels);
  for (size_t i = 0; i < images; ++i)
    for (size_t c = 0; c < channels; ++c) {
      const float* x = &tensor.data[(i * channels + c) * area];
      double sum = 0;
      for (size_t p = 0; p < area; ++p) sum += static_cast<double>(x[p]);
      (*sums)[c] += sum;
    }
}

Result<Means> FloatMeans(const Graph& graph, std::span<const std::vector<uint8_t>> pixels,
                         const ConvertOptions& options) {
  std::vector<ValueId> pre_activation;
  const Graph split = SplitActivations(graph, &pre_activation);
  std::vector<int> node_of_value(split.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (IsWeightLayer(graph.nodes[i])) node_of_value[static_cast<size_t>(pre_activation[i])] = static_cast<int>(i);
  AQ_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(&split, options.num_threads));
  const Shape& input_shape = graph.values[static_cast<size_t>(graph.input)].shape;
  Means means(graph.nodes.size());
  std::vector<double> counts(graph.nodes.size());
  for (size_t begin = 0; begin < pixels.size(); begin += kCalibrationBatch) {
    const auto batch = pixels.subspan(begin, std::min(kCalibrationBatch, pixels.size() - begin));
    const auto observe = [&](ValueId v, const FloatTensor& tensor) {
      const int node = node_of_value[static_cast<size_t>(v)];
      if (node < 0) return;
      const size_t channels = static_cast<size_t>(split.values[static_cast<size_t>(v)].shape[1]);
      AddChannelSums(tensor, channels, &means[static_cast<size_t>(node)]);
      counts[static_cast<size_t>(node)] += static_cast<double>(tensor.data.size() / channels);
    };
    AQ_ASSIGN_OR_RETURN(const std::vector<FloatTensor> unused,
                        executor.Run(ToFloat(batch, input_shape, options.preprocess), observe));
  }
  for (size_t i = 0; i < means.size(); ++i)
    for (double& mean : means[i]) mean /= counts[i];
  return means;
}

// Mean real pre-activation per channel of one op over all images, residual included. Exact integer sums first.
std::vector<double> IntegerMeans(const IntegerModel& integer, const schema::OpT& op,
                                 const std::vector<double>& acc_scale, const std::vector<std::vector<int32_t>>& accs,
                                 const std::vector<ImageCodes>& images) {
  const size_t channels = acc_scale.size();
  std::vector<int64_t> sums(channels), residual_sums(channels);
  int64_t pixels = 0;
  for (size_t i = 0; i < accs.size(); ++i) {
    const std::vector<int32_t>& acc = accs[i];
    pixels += static_cast<int64_t>(acc.size() / channels);
    for (size_t j = 0; j < acc.size(); j += channels)
      for (size_t c = 0; c < channels; ++c) sums[c] += acc[j + c];
    if (op.inputs.size() < 2) continue;
    const std::vector<uint8_t>& residual = images[i][static_cast<size_t>(op.inputs[1])].codes;
    for (size_t j = 0; j < acc.size(); j += channels)
      for (size_t c = 0; c < channels; ++c) residual_sums[c] += residual[j + c];
  }
  std::vector<double> means(channels);
  for (size_t c = 0; c < channels; ++c) {
    means[c] = static_cast<double>(sums[c]) / static_cast<double>(pixels) * acc_scale[c];
    if (op.inputs.size() < 2) continue;
    const schema::TensorT& residual = integer.Tensor(op.inputs[1]);
    means[c] +=
        (static_cast<double>(residual_sums[c]) / static_cast<double>(pixels) - residual.zero_point) * residual.scale;
  }
  return means;
}

}  // namespace

size_t BiasCorrectionImages(const IntegerModel& integer) {
  size_t largest = 1;
  for (const auto& tensor : integer.model.tensors) {
    size_t elements = 1;
    for (const int32_t dim : tensor->shape) elements *= static_cast<size_t>(dim);
    largest = std::max(largest, elements);
  }
  return std::clamp(kMaxLargestTensorBytes / largest, kMinImages, kBiasCorrectionImages);
}

Status CorrectBiases(const Graph& graph, std::span<const std::vector<uint8_t>> pixels, const ConvertOptions& options,
                     const LearnedQuantization* learned, const Progress& progress, Quantized* quantized) {
  AQ_ASSIGN_OR_RETURN(const Means float_means, FloatMeans(graph, pixels, options));
  IntegerModel& integer = quantized->integer;
  const Simulator simulator(&integer);
  const size_t ops = integer.model.ops.size();
  // A tensor is dropped after its last reader: a batch of activations of one depth, not of the whole network.
  std::vector<size_t> last_use(integer.model.tensors.size());
  for (size_t i = 0; i < ops; ++i)
    for (const int32_t input : integer.model.ops[i]->inputs) last_use[static_cast<size_t>(input)] = i;

  std::vector<ImageCodes> images(pixels.size(), ImageCodes(integer.model.tensors.size()));
  for (size_t i = 0; i < pixels.size(); ++i) images[i][static_cast<size_t>(integer.model.inputs[0])].codes = pixels[i];
  for (size_t index = 0; index < ops; ++index) {
    schema::OpT& op = *integer.model.ops[index];
    const bool is_learned = learned && learned->layers.contains(quantized->provenance.node_of_op[index]);
    if (schema::WeightsT* weights = WeightsOf(op); weights && !is_learned) {
      std::vector<std::vector<int32_t>> accs(images.size());
      ParallelFor(images.size(), options.num_threads,
                  [&](size_t i) { accs[i] = simulator.Accumulate(index, images[i]); });
      const std::vector<double>& acc_scale = quantized->provenance.acc_scale[index];
      const std::vector<double>& wanted = float_means[static_cast<size_t>(quantized->provenance.node_of_op[index])];
      const std::vector<double> means = IntegerMeans(integer, op, acc_scale, accs, images);
      std::vector<int32_t> delta(means.size());
      for (size_t c = 0; c < means.size(); ++c) {
        const double correction = std::round((wanted[c] - means[c]) / acc_scale[c]);
        const double bias = weights->bias[c] + correction;
        if (!(std::abs(bias) < std::numeric_limits<int32_t>::max()))
          return Error(Code::kLimit, "%s: channel %zu: corrected bias %g does not fit 32 bits", op.name.c_str(), c,
                       bias);
        delta[c] = static_cast<int32_t>(correction);
        weights->bias[c] = static_cast<int32_t>(bias);
      }
      AQ_RETURN_IF_ERROR(ProveOpRanges(integer, op));
      ParallelFor(images.size(), options.num_threads, [&](size_t i) {
        for (size_t j = 0; j < accs[i].size(); ++j) accs[i][j] += delta[j % delta.size()];
        simulator.Finish(index, accs[i], &images[i]);
        std::vector<int32_t>().swap(accs[i]);
      });
    } else {
      ParallelFor(images.size(), options.num_threads, [&](size_t i) { simulator.RunOp(index, &images[i]); });
    }
    for (size_t t = 0; t < last_use.size(); ++t)
      if (last_use[t] == index)
        for (ImageCodes& image : images) image[t] = {};
    if (progress) progress("correct biases", index + 1, ops);
  }
  return {};
}

}  // namespace aq::converter
