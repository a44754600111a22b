// SPDX-License-Identifier: Apache-2.0
// Conversion without images (`aq convert --calib none`): what the network itself knows of its activations. BatchNorm
// left mean and deviation of every convolution it was folded into (graph.h); from there normal distributions per
// channel are carried through the other operations, taken as independent. Stands in for calibrate.h and
// bias_correction.h.
#pragma once

#include <vector>

#include "converter/activation_plan.h"
#include "converter/calibrate.h"
#include "converter/convert.h"
#include "converter/integer_model.h"
#include "runtime/status.h"

namespace aq::converter {

// A value's channel: normal(mean, deviation), then clipped to [low, high] (ReLU).
struct ChannelDistribution {
  double mean = 0, deviation = 0;
  double low = -static_cast<double>(kInfinity), high = static_cast<double>(kInfinity);

  double ClippedMean() const;
  double ClippedDeviation() const;
  double Cumulative(double x) const;  // probability of a clipped value <= x
};
using ValueDistribution = std::vector<ChannelDistribution>;  // dimension 1 of the value

// Per value of the graph. kUnsupported if no convolution knows its statistics.
Result<std::vector<ValueDistribution>> PropagateStatistics(const Graph& graph, const Preprocess& preprocess);

// Histograms as images would have given them.
Calibration CalibrateFromStatistics(const Graph& graph, const ActivationPlan& plan,
                                    const std::vector<ValueDistribution>& distributions);
// DFQ's bias correction: the mean of each layer's input times the error of its weights.
Status CorrectBiasesFromStatistics(const Graph& graph, const std::vector<ValueDistribution>& distributions,
                                   Quantized* quantized);

// Noise for the final check of bit-exactness, which needs pixels but no pictures.
class NoiseImages : public ImageSource {
 public:
  NoiseImages(size_t count, size_t bytes, uint64_t seed) : count_(count), bytes_(bytes), seed_(seed) {}
  size_t size() const override { return count_; }
  Status Load(size_t i, std::vector<uint8_t>* pixels) const override;

 private:
  size_t count_, bytes_;
  uint64_t seed_;
};

}  // namespace aq::converter
