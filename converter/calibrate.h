// SPDX-License-Identifier: Apache-2.0
// Runs the float network over the calibration images, a batch at a time, and collects what ranges.h needs: extremes in
// a first pass, histograms in a second. Never more than one batch of activations in memory.
#pragma once

#include <cstdint>
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

struct Calibration {
  std::vector<Histogram> groups;  // indexed by ActivationPlan::group; bins empty for Ranges::kMinMax
  uint64_t pixel_hash = 0;        // FNV-1a of all pixels used
};
Result<Calibration> Calibrate(const Graph& graph, const ActivationPlan& plan, const ImageSource& images,
                              std::span<const size_t> indices, const ConvertOptions& options, const Progress& progress);

}  // namespace aq::converter
