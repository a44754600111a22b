// SPDX-License-Identifier: Apache-2.0
// The quantised network: the FlatBuffers object API itself plus the raw weight segments. Made by quantize.h, corrected
// by bias_correction.h, executed by simulate.h, written by writer.h.
#pragma once

#include <cstdint>
#include <vector>

#include "converter/graph.h"
#include "schema/model_generated.h"

namespace aq::converter {

struct IntegerModel {
  schema::ModelT model;  // Weights::segment indexes `segments`; model.segments is the writer's
  std::vector<std::vector<uint8_t>> segments;

  const schema::TensorT& Tensor(int32_t index) const { return *model.tensors[static_cast<size_t>(index)]; }
  schema::TensorT& Tensor(int32_t index) { return *model.tensors[static_cast<size_t>(index)]; }
};

// The Weights of a Conv2D or Dense op, else null.
inline schema::WeightsT* WeightsOf(schema::OpT& op) {
  if (schema::Conv2DT* conv = op.attributes.AsConv2D()) return conv->weights.get();
  if (schema::DenseT* dense = op.attributes.AsDense()) return dense->weights.get();
  return nullptr;
}
inline const schema::WeightsT* WeightsOf(const schema::OpT& op) { return WeightsOf(const_cast<schema::OpT&>(op)); }

// Where each op and tensor came from, for bias correction and reports.
struct Provenance {
  std::vector<int> node_of_op;                 // -1: helper (transpose, width change)
  std::vector<ValueId> value_of_tensor;        // -1: helper, or in another layout than the value
  std::vector<std::vector<double>> acc_scale;  // per op: real value of one accumulator unit [n]; empty without weights
};

struct Quantized {
  IntegerModel integer;
  Provenance provenance;
};

}  // namespace aq::converter
