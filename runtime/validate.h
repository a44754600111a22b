// SPDX-License-Identifier: Apache-2.0
// The semantic half of loading: everything the FlatBuffers verifier does not know. Called by model.cc in this order,
// and by the ops' own validators (op.h). Each rejection names the tensor or op and both numbers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/requantize/prepare.h"
#include "runtime/model.h"
#include "runtime/op.h"
#include "runtime/sizes.h"

namespace aq {

Status ReadKeyValues(const Model& model);  // strings of the metadata
Status ReadTensors(Model* model);          // shapes, bits, scales, borders -> model->tensors
Status ReadGraph(Model* model);            // indices, one writer, order -> model->ops, inputs, outputs
Status CheckOps(const Model& model);       // every op's validator, segments' owners, the sum of work

// ---- For the ops' validators -------------------------------------------------------------------------------------

// FlatBuffers vectors in place; absent = empty.
template <class T>
std::span<const T> Elements(const flatbuffers::Vector<T>* vector) {
  return vector ? std::span<const T>(vector->data(), vector->size()) : std::span<const T>();
}

// `what` (of the op) in [low, high].
Status CheckRange(const ModelOp& op, const char* what, int64_t value, int64_t low, int64_t high);
Status CheckInputs(const ModelOp& op, size_t low, size_t high);
Status CheckOutputs(const ModelOp& op, size_t low, size_t high);
// Output `index` has exactly this shape.
Status CheckShape(const OpContext& op, size_t index, std::span<const int32_t> expected);
// Neither input nor output is rescaled: same bits, scale and zero point.
Status CheckSameQuantization(const OpContext& op);
// No requantisation, where the op has none.
Status CheckNoRequantize(const OpContext& op);
// Output `index` holds codes (bits below 32).
Status CheckIsCodes(const OpContext& op, size_t index);
// As many requantisation tables as this.
Status CheckRequantizeCount(const OpContext& op, uint32_t expected);
Status CheckRank(const OpContext& op, const Tensor& tensor, int rank);
// [1, h, w, c] or [1, c].
Status CheckIsImage(const OpContext& op, const Tensor& tensor);
Image ImageOf(const Shape& shape);

// The members a Requantize table of this op uses; the others must be absent.
struct RequantizeUse {
  bool multiplies = false;  // multiplier, shift
  bool ratio = false;
  bool residual_ratio = false;
};
// Entries of one requantisation: present, 1 or `entries` long, in range; offsets always.
Status CheckRequantize(const OpContext& op, uint32_t index, RequantizeUse use, size_t entries);
// ScalingFits for each of `source`'s channels; bounds has one entry or one per channel.
Status CheckScalings(const OpContext& op, const RequantizeSource& source, std::span<const int32_t> bounds,
                     size_t channels);

// What one pass over a layer's weights finds (validate_weights.cc).
struct WeightStatistics {
  std::vector<int32_t> acc_bound;  // [n] sum |w - zero point| * max code + |bias|
  int32_t max_magnitude = 0;       // of codebook values in use
  bool has_zero_points = false;    // other than 0
  bool fits_int8 = true;           // all weights less their zero points
};
struct LayerShape {
  int32_t n = 0, taps = 0, k = 0;  // k input channels per group
};
// Size of the segment, lengths of the vectors, ranges, and that no accumulator leaves int32. `is_direct`: zero points
// are subtracted from the weights (depthwise), else by row sums.
Status CheckWeights(const OpContext& op, const schema::Weights& weights, LayerShape shape, int32_t max_code,
                    bool is_direct, WeightStatistics* statistics);

}  // namespace aq
