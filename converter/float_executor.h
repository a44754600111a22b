// SPDX-License-Identifier: Apache-2.0
// Runs a Graph in float32 on oneDNN, a batch of images at a time. Calibration, ground truth and accuracy of the float
// network; gradients are built on the same op functions. Deterministic for a batch size, whatever the thread count.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

// Dense NCHW floats, batch first.
struct FloatTensor {
  Shape shape;  // {batch, ...}
  std::vector<float> data;
};

class FloatExecutor {
 public:
  // `graph` must outlive the executor. Sets oneDNN/OpenMP to `num_threads` (OMP_WAIT_POLICY=passive is the tool's
  // duty).
  static Result<FloatExecutor> Create(const Graph* graph, int num_threads);
  FloatExecutor(FloatExecutor&&) noexcept;
  FloatExecutor& operator=(FloatExecutor&&) noexcept;
  ~FloatExecutor();

  // Called after each value is computed (graph input first), in topological order. The tensor is freed after its last
  // consumer: never more than one batch of live activations in memory.
  using Observer = std::function<void(ValueId, const FloatTensor&)>;
  // input {batch, ...}; returns the outputs in graph order.
  Result<std::vector<FloatTensor>> Run(const FloatTensor& input, const Observer& observer = nullptr);
  // One node alone, on given inputs (calibration of a quantised prefix, gradient tests). Applies the clip.
  Result<FloatTensor> RunNode(int node, const std::vector<const FloatTensor*>& inputs);

 private:
  struct Impl;
  explicit FloatExecutor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aq::converter
