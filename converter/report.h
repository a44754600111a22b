// SPDX-License-Identifier: Apache-2.0
// How far the integer network is from the float one, layer by layer: the numbers of ConvertReport::layers.
#pragma once

#include <span>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/float_executor.h"
#include "converter/integer_model.h"
#include "converter/simulate.h"

namespace aq::converter {

class LayerMeter {
 public:
  LayerMeter(const Graph& graph, const ActivationPlan& plan, const Quantized& quantized);

  // One batch: `input` through the float network against the simulated tensors of the same images.
  Status Add(FloatExecutor* executor, const FloatTensor& input, std::span<const ImageCodes> images);
  std::vector<LayerReport> Reports() const;

 private:
  struct Sums {
    double signal = 0, noise = 0;
    uint64_t clipped = 0, values = 0;
  };
  void Compare(const FloatTensor& value, int32_t tensor, std::span<const ImageCodes> images, Sums* sums) const;

  const Graph& graph_;
  const ActivationPlan& plan_;
  const Quantized& quantized_;
  std::vector<int32_t> tensor_of_value_;  // output of a weight layer, widest; else -1
  std::vector<Sums> sums_;                // per value
};

}  // namespace aq::converter
