// SPDX-License-Identifier: Apache-2.0
// A define-by-run reverse-mode tape over dense NCHW floats, batch first. Ops (ops.h, losses.h, fake_quantize.h,
// adaround.h) append values; Backward() runs their gradients in reverse. Knows no op itself.
//
// One tape serves many iterations: Reset() forgets the values but keeps the memory, and the k-th value of the next
// iteration takes the k-th value's buffers, so a repeated sequence of ops allocates no tensor after the first time.
// Deterministic: same inputs, same bits, whatever the number of threads. Shapes are the caller's duty (asserted).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "converter/graph.h"
#include "converter/training/buffer.h"

namespace aq::converter::training {

using Var = int;  // a value of the current iteration
inline constexpr Var kNoVar = -1;

inline int64_t NumElements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) count *= dim;
  return count;
}

// What Adam (adam.h) trains; owned by the caller, outlives the iteration. Gradients add up until zeroed.
struct Parameter {
  Shape shape;
  std::vector<float> value, gradient;
  bool is_trained = true;  // false: a constant

  Parameter() = default;
  Parameter(Shape s, std::vector<float> v) : shape(std::move(s)), value(std::move(v)), gradient(value.size(), 0.0f) {}
  void ZeroGradient() { gradient.assign(value.size(), 0.0f); }
};

class Tape {
 public:
  // Threads of OpenMP (and so of oneDNN) for the calling thread, which must be the one that uses the tape.
  explicit Tape(int num_threads);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  void Reset();
  Var Constant(const Shape& shape, const float* data);  // borrowed until Reset()
  Var Leaf(Parameter* parameter);                       // Backward() adds to parameter->gradient

  // From `loss` (one element, gradient 1) or from any value with the given gradient, once per iteration.
  void Backward(Var loss);
  void Backward(Var out, std::span<const float> gradient);

  const Shape& shape(Var v) const { return slot(v).shape; }
  int64_t count(Var v) const { return slot(v).count; }
  const float* value(Var v) const { return slot(v).value; }
  float scalar(Var v) const { return slot(v).value[0]; }
  bool needs_gradient(Var v) const { return v != kNoVar && slot(v).needs_gradient; }
  // Floats held, all buffers: constant in the steady state.
  size_t held_floats() const;

  // ---- For ops ----
  // A new value to be filled through MutableValue(). Needs a gradient if an input does (kNoVar inputs are ignored).
  Var Make(const Shape& shape, std::initializer_list<Var> inputs);
  Var Make(const Shape& shape, std::span<const Var> inputs);
  float* MutableValue(Var v) { return slot(v).storage.Resize(static_cast<size_t>(slot(v).count)); }
  // Called by Backward() if a gradient has reached `out`; dropped at once if none is needed.
  void OnBackward(Var out, std::function<void()> backward);
  const float* gradient(Var v) const { return slot(v).gradient; }
  // Where an op puts d loss / d v: adds if `adds`, else it is the first and must write every element.
  struct Sink {
    float* data;
    bool adds;
  };
  Sink GradientSink(Var v);
  // Memory of `v`'s op, kept until Reset() and reused by the next iteration.
  float* Saved(Var v, size_t index, size_t count);
  // Memory for the running call only.
  float* Temporary(size_t index, size_t count);

  struct OpCache {  // what an op kind keeps between iterations (compiled primitives)
    virtual ~OpCache() = default;
  };
  std::unique_ptr<OpCache>& convolution_cache() { return convolution_cache_; }

 private:
  struct Slot {
    Shape shape;
    int64_t count = 0;
    const float* value = nullptr;
    float* gradient = nullptr;
    bool needs_gradient = false, has_gradient = false;
    std::function<void()> backward;
    Parameter* parameter = nullptr;
    Buffer storage, gradient_storage;
    std::deque<Buffer> saved;
  };
  Slot& slot(Var v) { return slots_[static_cast<size_t>(v)]; }
  const Slot& slot(Var v) const { return slots_[static_cast<size_t>(v)]; }
  Slot& NewSlot(const Shape& shape);

  int num_threads_;
  size_t used_ = 0;
  std::deque<Slot> slots_;  // a deque: references survive growth
  std::deque<Buffer> temporary_;
  std::unique_ptr<OpCache> convolution_cache_;
};

}  // namespace aq::converter::training
