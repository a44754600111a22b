// SPDX-License-Identifier: Apache-2.0
// Moves each layer's bias so that the mean of its pre-activation equals the float network's, channel by channel, layer
// after layer: later layers see corrected inputs. One batch of images; only biases change.
#pragma once

#include <span>
#include <vector>

#include "converter/convert.h"
#include "converter/integer_model.h"
#include "converter/learned.h"

namespace aq::converter {

inline constexpr size_t kBiasCorrectionImages = 128;

// pixels: the images' codes. Layers in `learned` (may be null) stay as they are: their rounding was learned together,
// errors of the mean included, and correcting layer by layer undoes that (ResNet-20 at w2a2: 78 % -> 72 %).
// The result passes ProveRanges() again; a correction that would not is kLimit.
Status CorrectBiases(const Graph& graph, std::span<const std::vector<uint8_t>> pixels, const ConvertOptions& options,
                     const LearnedQuantization* learned, const Progress& progress, Quantized* quantized);
// How many images fit in memory at once.
size_t BiasCorrectionImages(const IntegerModel& integer);

}  // namespace aq::converter
