// SPDX-License-Identifier: Apache-2.0
// A layer with weights: what Conv2D and Dense share. A dense layer is a 1x1 convolution of a 1x1 image.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/gemm/convolve.h"
#include "runtime/validate.h"

namespace aq {

struct Layer {
  ConvGeometry geometry;
  const schema::Weights* weights = nullptr;
  std::span<const uint8_t> pad_codes;  // empty: the input's zero point
};

// The geometry is checked already; this checks groups, weights, padding codes, residual, outputs and requantisation.
Status ValidateLayer(const OpContext& op, const Layer& layer, uint64_t* work);
void PrepareLayer(const OpContext& op, const Layer& layer, const Target& target, ConstantMemory* memory, PreparedOp* prepared);

}  // namespace aq
