// SPDX-License-Identifier: Apache-2.0
// Measures on the float network's own values, so that one layer's error is seen without those before it: how each
// stored activation is rounded and how often not to nearest, and each weight layer run alone on rounded float inputs.
// Used by report.h for ConvertReport.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/float_executor.h"
#include "converter/integer_model.h"
#include "converter/learned.h"
#include "converter/simulate.h"

namespace aq::converter {

// Squared signal and error, summed.
struct SignalNoise {
  double signal = 0, noise = 0;
  uint64_t clipped = 0, values = 0;

  // `value` (float, batch) against what the tensor's codes say.
  void Add(const FloatTensor& value, const schema::TensorT& tensor, size_t index, std::span<const ImageCodes> images);
  double Decibels() const;  // at most 200, of a perfect match
};

// The code that a real value of channel c gets: numerics.h, with the Q.8 value taken from `x` instead of an
// accumulator.
uint8_t CodeOf(const BorderReport& border, size_t c, float x);

class LoneLayerMeter {
 public:
  // learned may be null. All must outlive the meter.
  LoneLayerMeter(const Graph& graph, const ActivationPlan& plan, const Quantized& quantized,
                 const LearnedQuantization* learned, const Simulator* simulator, int num_threads);

  // A new batch: the pixels come from `images`, everything else from Observe(), in execution order.
  void Begin(std::span<const ImageCodes> images);
  void Observe(ValueId v, const FloatTensor& value);

  std::vector<BorderReport> Borders() const;
  // Negative if the layer could not be measured: its input is stored in another layout than the float network's.
  double Decibels(size_t op) const;

 private:
  struct Stored {  // a tensor that holds a value of the float network
    size_t tensor = 0;
    bool is_rounded = false;  // here, not copied
    BorderReport border;
    uint64_t moved = 0, values = 0;
  };
  void Round(const FloatTensor& value, Stored* stored);

  const Quantized& quantized_;
  const Simulator* simulator_;
  int num_threads_;
  std::vector<std::vector<Stored>> stored_;  // per value
  std::map<ValueId, size_t> op_of_value_;    // weight layers
  std::map<size_t, SignalNoise> sums_;       // by op
  std::vector<ImageCodes> images_;           // rounded float values of the current batch
};

}  // namespace aq::converter
