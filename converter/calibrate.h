// SPDX-License-Identifier: Apache-2.0
// Runs the float network over the calibration images, a batch at a time, and collects what ranges.h needs: extremes in
// a first pass, histograms in a second. Never more than one batch of activations in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/float_executor.h"
#include "converter/ranges.h"

namespace aq::converter {

inline constexpr size_t kCalibrationBatch = 32;

// Which images are used: all, or a random choice of `count` by `seed`, in ascending order.
std::vector<size_t> ChooseImages(size_t size, size_t count, uint64_t seed);

// The uint8 codes of images `indices`, each checked against the network's input shape.
Status LoadImages(const ImageSource& images, std::span<const size_t> indices, const Shape& input_shape,
                  std::vector<std::vector<uint8_t>>* pixels);
// Pixels [h][w][c] -> (pixel - mean) / std, NCHW, batch first.
FloatTensor ToFloat(std::span<const std::vector<uint8_t>> pixels, const Shape& input_shape,
                    const Preprocess& preprocess);
// Mean or deviation of input channel c.
float PerChannel(const std::vector<float>& values, size_t c);

// Sees every value of a batch, `pass` counting from 0; false if the value is not finite.
using ValueObserver = std::function<bool(int pass, ValueId, const FloatTensor&)>;
// Runs the float network over images `indices`, `passes` times, with progress as `stage`. Returns FNV-1a of the pixels.
// kInvalidArgument names the first value that is not finite.
Result<uint64_t> ObserveImages(const Graph& graph, const ImageSource& images, std::span<const size_t> indices,
                               const ConvertOptions& options, const Progress& progress, const char* stage, int passes,
                               const ValueObserver& observe);

struct Calibration {
  std::vector<Histogram> groups;  // indexed by ActivationPlan::group; bins empty for Ranges::kMinMax
  uint64_t pixel_hash = 0;        // FNV-1a of all pixels used
};
Result<Calibration> Calibrate(const Graph& graph, const ActivationPlan& plan, const ImageSource& images,
                              std::span<const size_t> indices, const ConvertOptions& options, const Progress& progress);

}  // namespace aq::converter
