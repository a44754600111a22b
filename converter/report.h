// SPDX-License-Identifier: Apache-2.0
// How far the integer network is from the float one, layer by layer: the numbers of ConvertReport::layers.
#pragma once

#include <span>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/border_report.h"
#include "converter/convert.h"
#include "converter/float_executor.h"
#include "converter/integer_model.h"
#include "converter/simulate.h"

namespace aq::converter {

class LayerMeter {
 public:
  // alone: measures each batch, too, and fills LayerReport::own_sqnr_db; may be null.
  LayerMeter(const Graph& graph, const Quantized& quantized, LoneLayerMeter* alone);

  // One batch: `input` through the float network against the simulated tensors of the same images.
  Status Add(FloatExecutor* executor, const FloatTensor& input, std::span<const ImageCodes> images);
  std::vector<LayerReport> Reports() const;

 private:
  const Graph& graph_;
  const Quantized& quantized_;
  std::vector<int32_t> tensor_of_value_;  // output of a weight layer, widest; else -1
  LoneLayerMeter* alone_;
  std::vector<SignalNoise> sums_;  // per value
};

}  // namespace aq::converter
