// SPDX-License-Identifier: Apache-2.0
#include "converter/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "converter/threads.h"

namespace aq::converter {
namespace {

constexpr size_t kChunk = size_t{1} << 18;  // values one task looks at

uint64_t SplitMix(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Extremes of `values`; false if one of them is not finite.
bool FindExtremes(std::span<const float> values, int num_threads, Range* range) {
  const size_t chunks = (values.size() + kChunk - 1) / kChunk;
  std::vector<Range> parts(chunks);
  std::vector<uint8_t> is_finite(chunks, 1);
  ParallelFor(chunks, num_threads, [&](size_t i) {
    const auto part = values.subspan(i * kChunk, std::min(kChunk, values.size() - i * kChunk));
    float low = part[0], high = part[0], poison = 0;
    for (const float x : part) {
      low = x < low ? x : low;
      high = x > high ? x : high;
      poison += x * 0;  // NaN as soon as one value is NaN or infinite
    }
    parts[i] = {low, high};
    is_finite[i] = poison == 0;
  });
  for (size_t i = 0; i < chunks; ++i) {
    range->low = std::min(range->low, parts[i].low);
    range->high = std::max(range->high, parts[i].high);
    if (!is_finite[i]) return false;
  }
  return true;
}

void AddToHistogram(std::span<const float> values, int num_threads, Histogram* histogram) {
  const size_t chunks = (values.size() + kChunk - 1) / kChunk;
  if (chunks <= 1 || num_threads <= 1) return histogram->Add(values);
  std::vector<Histogram> parts(static_cast<size_t>(num_threads));
  ParallelFor(parts.size(), num_threads, [&](size_t t) {
    parts[t].range = histogram->range;
    for (size_t i = t; i < chunks; i += parts.size())
      parts[t].Add(values.subspan(i * kChunk, std::min(kChunk, values.size() - i * kChunk)));
  });
  for (const Histogram& part : parts) histogram->Merge(part);
}

}  // namespace

std::vector<size_t> ChooseImages(size_t size, size_t count, uint64_t seed) {
  std::vector<size_t> indices(size);
  std::iota(indices.begin(), indices.end(), size_t{0});
  if (count >= size) return indices;
  uint64_t state = seed;
  for (size_t i = 0; i < count; ++i) std::swap(indices[i], indices[i + SplitMix(&state) % (size - i)]);
  indices.resize(count);
  std::sort(indices.begin(), indices.end());
  return indices;
}

Status LoadImages(const ImageSource& images, std::span<const size_t> indices, const Shape& input_shape,
                  std::vector<std::vector<uint8_t>>* pixels) {
  pixels->resize(indices.size());
  const size_t expected = static_cast<size_t>(Elements(input_shape));
  for (size_t i = 0; i < indices.size(); ++i) {
    AQ_RETURN_IF_ERROR(images.Load(indices[i], &(*pixels)[i]));
    if ((*pixels)[i].size() != expected)
      return Error(Code::kInvalidArgument, "calibration image %zu has %zu bytes, the network's input %zu", indices[i],
                   (*pixels)[i].size(), expected);
  }
  return {};
}

float PerChannel(const std::vector<float>& values, size_t c) { return values.size() == 1 ? values[0] : values[c]; }

FloatTensor ToFloat(std::span<const std::vector<uint8_t>> pixels, const Shape& input_shape,
                    const Preprocess& preprocess) {
  FloatTensor tensor{input_shape, {}};
  tensor.shape[0] = static_cast<int64_t>(pixels.size());
  const size_t per_image = static_cast<size_t>(Elements(input_shape));
  const size_t channels = input_shape.size() == 4 ? static_cast<size_t>(input_shape[1]) : 1;
  const size_t area = per_image / channels;
  tensor.data.resize(per_image * pixels.size());
  for (size_t i = 0; i < pixels.size(); ++i) {
    for (size_t c = 0; c < channels; ++c) {
      const float mean = PerChannel(preprocess.mean, c), inverse = 1 / PerChannel(preprocess.stddev, c);
      float* out = &tensor.data[i * per_image + c * area];
      const uint8_t* in = &pixels[i][c];
      for (size_t p = 0; p < area; ++p) out[p] = (static_cast<float>(in[p * channels]) - mean) * inverse;
    }
  }
  return tensor;
}

Result<uint64_t> ObserveImages(const Graph& graph, const ImageSource& images, std::span<const size_t> indices,
                               const ConvertOptions& options, const Progress& progress, const char* stage, int passes,
                               const ValueObserver& observe) {
  AQ_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(&graph, options.num_threads));
  const Shape& input_shape = graph.values[static_cast<size_t>(graph.input)].shape;
  const size_t total = indices.size() * static_cast<size_t>(passes);
  uint64_t pixel_hash = 0xcbf29ce484222325u;
  ValueId bad_value = -1;
  for (int pass = 0; pass < passes; ++pass) {
    const auto observe_pass = [&](ValueId v, const FloatTensor& tensor) {
      if (!observe(pass, v, tensor) && bad_value < 0) bad_value = v;
    };
    for (size_t begin = 0; begin < indices.size(); begin += kCalibrationBatch) {
      const auto batch = indices.subspan(begin, std::min(kCalibrationBatch, indices.size() - begin));
      std::vector<std::vector<uint8_t>> pixels;
      AQ_RETURN_IF_ERROR(LoadImages(images, batch, input_shape, &pixels));
      for (size_t i = 0; pass == 0 && i < pixels.size(); ++i)
        for (const uint8_t byte : pixels[i]) pixel_hash = (pixel_hash ^ byte) * 0x100000001b3u;
      AQ_ASSIGN_OR_RETURN(const std::vector<FloatTensor> unused,
                          executor.Run(ToFloat(pixels, input_shape, options.preprocess), observe_pass));
      if (bad_value >= 0)
        return Error(Code::kInvalidArgument, "value '%s' is not finite in float (images %zu to %zu)",
                     graph.values[static_cast<size_t>(bad_value)].name.c_str(), begin, begin + batch.size() - 1);
      if (progress) progress(stage, static_cast<size_t>(pass) * indices.size() + begin + batch.size(), total);
    }
  }
  return pixel_hash;
}

Result<Calibration> Calibrate(const Graph& graph, const ActivationPlan& plan, const ImageSource& images,
                              std::span<const size_t> indices, const ConvertOptions& options,
                              const Progress& progress) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const std::vector<int> producers = Producers(graph);
  Calibration calibration;
  calibration.groups.resize(graph.values.size());
  for (Histogram& group : calibration.groups) group.range = {kMax, -kMax};
  const auto observe = [&](int pass, ValueId v, const FloatTensor& tensor) {
    if (!plan.is_observed[static_cast<size_t>(v)] || tensor.data.empty()) return true;
    Histogram& group = calibration.groups[static_cast<size_t>(plan.group[static_cast<size_t>(v)])];
    const int producer = producers[static_cast<size_t>(v)];
    std::vector<float> clipped;  // as the integer network does
    if (producer >= 0 && !graph.nodes[static_cast<size_t>(producer)].channel_clip_high.empty()) {
      clipped = tensor.data;
      for (float& x : clipped) x = std::min(x, graph.nodes[static_cast<size_t>(producer)].clip_high);
    }
    const std::span<const float> values = clipped.empty() ? tensor.data : clipped;
    if (pass == 0) return FindExtremes(values, options.num_threads, &group.range);
    AddToHistogram(values, options.num_threads, &group);
    return true;
  };
  const int passes = options.ranges == Ranges::kMinMax ? 1 : 2;
  AQ_ASSIGN_OR_RETURN(calibration.pixel_hash,
                      ObserveImages(graph, images, indices, options, progress, "calibrate", passes, observe));
  for (Histogram& group : calibration.groups)
    if (group.range.low > group.range.high) group.range = {0, 0};
  return calibration;
}

}  // namespace aq::converter
