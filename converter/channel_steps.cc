// SPDX-License-Identifier: Apache-2.0
#include "converter/channel_steps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "converter/calibrate.h"
#include "converter/ranges.h"
#include "converter/recipe.h"
#include "converter/threads.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

constexpr float kLargest = 1e3f;  // of a factor: channels that hardly ever fire must not blow up
constexpr size_t kImages = 128;   // every pixel counts

struct Pair {  // of layers, by the value between them
  size_t producer = 0, depthwise = 0;
  int bits = 8;
  std::vector<Histogram> channels;
};
using Pairs = std::map<ValueId, Pair>;

Result<Pairs> FindPairs(const Graph& graph, const ConvertOptions& options) {
  AQ_ASSIGN_OR_RETURN(const std::vector<Bits> bits, AssignBits(graph, options));
  const std::vector<std::vector<int>> consumers = Consumers(graph);
  Pairs pairs;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const Conv* conv = std::get_if<Conv>(&node.attributes);
    const std::vector<int>& readers = consumers[static_cast<size_t>(node.output)];
    if (!conv || node.inputs.size() != 1 || node.clip_low != 0 || readers.size() != 1) continue;
    const size_t reader = static_cast<size_t>(readers[0]);
    const bool is_input = graph.nodes[reader].inputs[0] == node.output;  // not its residual
    const bool is_output = std::ranges::count(graph.outputs, node.output) > 0;
    if (!is_input || is_output || !IsDepthwise(graph.nodes[reader]) || bits[reader].activations >= 8) continue;
    if (std::get<Conv>(graph.nodes[reader].attributes).bias.size() != conv->bias.size()) continue;
    pairs[node.output] = {i, reader, bits[reader].activations, std::vector<Histogram>(conv->bias.size())};
  }
  return pairs;
}

// Extremes of every channel in a first pass, histograms in a second.
Status Observe(const Graph& graph, const ImageSource& images, std::span<const size_t> indices,
               const ConvertOptions& options, const Progress& progress, Pairs* pairs) {
  const auto observe = [&](int pass, ValueId v, const FloatTensor& tensor) {
    const auto pair = pairs->find(v);
    if (pair == pairs->end()) return true;
    std::vector<Histogram>& channels = pair->second.channels;
    const size_t rows = static_cast<size_t>(tensor.shape[0]) * channels.size(), area = tensor.data.size() / rows;
    ParallelFor(channels.size(), options.num_threads, [&](size_t c) {
      for (size_t row = c; row < rows; row += channels.size()) {
        const std::span<const float> values = std::span(tensor.data).subspan(row * area, area);
        if (pass == 1) {
          channels[c].Add(values);
        } else {
          float& high = channels[c].range.high;
          for (const float x : values) high = x <= high || std::isnan(high) ? high : x;
        }
      }
    });
    return std::ranges::all_of(channels, [](const Histogram& c) { return std::isfinite(c.range.high); });
  };
  return ObserveImages(graph, images, indices, options, progress, "channel steps", 2, observe).status();
}

void Scale(std::span<float> values, float factor) {
  for (float& value : values) value *= factor;
}

// So that each channel's range becomes the widest of them. Rare peaks may not widen the range that calibration will
// see: a clip cuts them off, and where there is none they stay below the largest.
void FillRanges(const Pair& pair, const ConvertOptions& options, Node* producer, Node* depthwise) {
  std::vector<float> tops(pair.channels.size());
  float peak = 0;
  for (const Histogram& channel : pair.channels) peak = std::max(peak, channel.range.high);
  if (peak == 0) return;
  ParallelFor(tops.size(), options.num_threads, [&](size_t c) {
    const bool is_silent = pair.channels[c].range.high <= 0;
    const QuantParams params = ChooseParams(pair.channels[c], options.ranges, pair.bits);
    tops[c] = is_silent ? 0 : params.scale * static_cast<float>(MaxLevel(pair.bits));
  });
  const float widest = *std::ranges::max_element(tops);
  Conv& made = std::get<Conv>(producer->attributes);
  Conv& read = std::get<Conv>(depthwise->attributes);
  const size_t row = made.weights.size() / tops.size(), taps = read.weights.size() / tops.size();
  const bool is_clipped = producer->clip_high != kInfinity;
  if (is_clipped) producer->channel_clip_high.assign(tops.size(), producer->clip_high);
  for (size_t c = 0; c < tops.size(); ++c) {
    const float limit = is_clipped ? kLargest : peak / pair.channels[c].range.high;
    const float factor = tops[c] == 0 ? 1 : std::min(widest / tops[c], limit);
    Scale(std::span(made.weights).subspan(c * row, row), factor);
    Scale(std::span(read.weights).subspan(c * taps, taps), 1 / factor);
    for (std::vector<float>* values : {&made.bias, &made.bn_mean, &made.bn_stddev, &producer->channel_clip_high})
      if (!values->empty()) (*values)[c] *= factor;
  }
}

}  // namespace

Result<int> FitChannelSteps(const ImageSource& images, std::span<const size_t> indices, const ConvertOptions& options,
                            const Progress& progress, Graph* graph) {
  AQ_ASSIGN_OR_RETURN(Pairs pairs, FindPairs(*graph, options));
  if (pairs.empty()) return 0;
  const auto observed = indices.first(std::min(kImages, indices.size()));
  AQ_RETURN_IF_ERROR(Observe(*graph, images, observed, options, progress, &pairs));
  for (const auto& [value, pair] : pairs)
    FillRanges(pair, options, &graph->nodes[pair.producer], &graph->nodes[pair.depthwise]);
  return static_cast<int>(pairs.size());
}

}  // namespace aq::converter
