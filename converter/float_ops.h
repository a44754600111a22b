// SPDX-License-Identifier: Apache-2.0
// The float ops, one image at a time on dense NCHW floats. oneDNN multiplies (Conv, Dense); everything else is a plain
// loop. Called by float_executor.cc, which walks the graph, spreads images over threads and applies residual and clip.
#pragma once

#include <memory>
#include <vector>

#include "converter/graph.h"
#include "platforms/memory.h"

namespace aq::converter {

struct OpShapes {  // batch 1
  std::vector<Shape> inputs;
  Shape output;
};

// Memory one thread reuses from call to call: blocked copies of inputs and outputs, oneDNN's scratchpad.
class Scratch {
 public:
  // 64-byte aligned, contents undefined; throws std::bad_alloc.
  void* Get(size_t slot, size_t bytes);

 private:
  AlignedBlock blocks_[3];
};

// A node ready to run. Immutable after creation, so threads share it.
class FloatOp {
 public:
  virtual ~FloatOp() = default;
  // Without residual and clip. inputs[i] and output point at one image.
  virtual void Run(const std::vector<const float*>& inputs, float* output, Scratch* scratch) const = 0;
};

// May throw (oneDNN errors, memory). Weights are copied into oneDNN's layout once.
std::unique_ptr<FloatOp> MakeProductOp(const Attributes& attributes, const OpShapes& shapes);  // Conv, Dense
std::unique_ptr<FloatOp> MakePlainOp(const Attributes& attributes, const OpShapes& shapes);    // the others

}  // namespace aq::converter
