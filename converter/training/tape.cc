// SPDX-License-Identifier: Apache-2.0
#include "converter/training/tape.h"

#include <omp.h>

#include <algorithm>
#include <cassert>

namespace aq::converter::training {

Tape::Tape(int num_threads) : num_threads_(num_threads) { omp_set_num_threads(num_threads_); }
Tape::~Tape() = default;

void Tape::Reset() {
  omp_set_num_threads(num_threads_);
  for (size_t i = 0; i < used_; ++i) slots_[i].backward = nullptr;
  used_ = 0;
}

Tape::Slot& Tape::NewSlot(const Shape& shape) {
  if (used_ == slots_.size()) slots_.emplace_back();
  Slot& slot = slots_[used_++];
  slot.shape = shape;
  slot.count = NumElements(shape);
  slot.gradient = nullptr;
  slot.has_gradient = slot.needs_gradient = false;
  slot.parameter = nullptr;
  return slot;
}

Var Tape::Constant(const Shape& shape, const float* data) {
  NewSlot(shape).value = data;
  return static_cast<Var>(used_) - 1;
}

Var Tape::Leaf(Parameter* parameter) {
  Slot& slot = NewSlot(parameter->shape);
  assert(static_cast<size_t>(slot.count) == parameter->value.size() && "parameter: shape and value disagree");
  slot.value = parameter->value.data();
  slot.parameter = parameter;
  slot.needs_gradient = parameter->is_trained;
  if (slot.needs_gradient) {
    parameter->gradient.resize(parameter->value.size(), 0.0f);
    slot.gradient = parameter->gradient.data();
    slot.has_gradient = true;  // ops add to what is there
  }
  return static_cast<Var>(used_) - 1;
}

Var Tape::Make(const Shape& shape, std::initializer_list<Var> inputs) {
  return Make(shape, std::span<const Var>(inputs.begin(), inputs.size()));
}

Var Tape::Make(const Shape& shape, std::span<const Var> inputs) {
  bool needs = false;
  for (Var input : inputs) needs = needs || needs_gradient(input);
  Slot& slot = NewSlot(shape);
  slot.needs_gradient = needs;
  slot.value = slot.storage.Resize(static_cast<size_t>(slot.count));
  return static_cast<Var>(used_) - 1;
}

void Tape::OnBackward(Var out, std::function<void()> backward) {
  if (needs_gradient(out)) slot(out).backward = std::move(backward);
}

Tape::Sink Tape::GradientSink(Var v) {
  Slot& s = slot(v);
  assert(s.needs_gradient && "gradient of a constant");
  const Sink sink{s.gradient ? s.gradient : s.gradient_storage.Resize(static_cast<size_t>(s.count)), s.has_gradient};
  s.gradient = sink.data;
  s.has_gradient = true;
  return sink;
}

float* Tape::Saved(Var v, size_t index, size_t count) {
  std::deque<Buffer>& saved = slot(v).saved;
  while (saved.size() <= index) saved.emplace_back();
  return saved[index].Resize(count);
}

float* Tape::Temporary(size_t index, size_t count) {
  while (temporary_.size() <= index) temporary_.emplace_back();
  return temporary_[index].Resize(count);
}

void Tape::Backward(Var loss) {
  assert(count(loss) == 1 && "Backward() starts at a scalar; give a gradient otherwise");
  const float one = 1;
  Backward(loss, {&one, 1});
}

void Tape::Backward(Var out, std::span<const float> gradient) {
  assert(static_cast<int64_t>(gradient.size()) == count(out) && "gradient and value differ in size");
  if (!needs_gradient(out)) return;
  const Sink sink = GradientSink(out);
  for (size_t i = 0; i < gradient.size(); ++i) sink.data[i] = sink.adds ? sink.data[i] + gradient[i] : gradient[i];
  for (Var v = out; v >= 0; --v) {
    Slot& s = slot(v);
    if (s.backward && s.has_gradient) s.backward();
  }
}

size_t Tape::held_floats() const {
  size_t floats = 0;
  for (const Slot& s : slots_) {
    floats += s.storage.capacity() + s.gradient_storage.capacity();
    for (const Buffer& buffer : s.saved) floats += buffer.capacity();
  }
  for (const Buffer& buffer : temporary_) floats += buffer.capacity();
  return floats;
}

}  // namespace aq::converter::training
