// SPDX-License-Identifier: Apache-2.0
// Executes an IntegerModel op by op with numerics.h and plain loops: what the file means, independent of the runtime
// and its kernels. Bias correction, reports and the final bit-exactness check rest on it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "converter/integer_model.h"
#include "runtime/status.h"

namespace aq::converter {

// Values of one tensor of one image, channels last: codes, or `wide` for 32-bit tensors.
struct Codes {
  std::vector<uint8_t> codes;
  std::vector<int32_t> wide;
};
using ImageCodes = std::vector<Codes>;  // indexed by tensor; empty until computed

class Simulator {
 public:
  // Decodes the weights once. `integer` must outlive the simulator; its biases may change meanwhile, nothing else.
  explicit Simulator(const IntegerModel* integer);

  // All ops on one image, every tensor kept. Safe to call from several threads.
  ImageCodes Run(std::span<const uint8_t> pixels) const;
  // One op, given its inputs in `tensors`; writes its outputs there.
  void RunOp(size_t op, ImageCodes* tensors) const;
  // Accumulators of a Conv2D or Dense op before requantisation, bias included: [pixels][n].
  std::vector<int32_t> Accumulate(size_t op, const ImageCodes& tensors) const;
  // Requantises them into the op's outputs.
  void Finish(size_t op, const std::vector<int32_t>& acc, ImageCodes* tensors) const;

 private:
  struct Layer {
    std::vector<int16_t> weights;  // codes less zero points: [n][tap][k]; depthwise: [tap][n]
    bool is_depthwise = false;
  };
  const IntegerModel* integer_;
  std::vector<Layer> layers_;  // per op
};

}  // namespace aq::converter
