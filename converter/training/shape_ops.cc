// SPDX-License-Identifier: Apache-2.0
// Concat, Slice, Pad, Reshape, Transpose: all are one strided box of elements moved between two tensors.
#include <algorithm>
#include <cassert>
#include <vector>

#include "converter/training/accumulate.h"
#include "converter/training/ops.h"

namespace aq::converter::training {
namespace {

// Element (i0, i1, ...) of `extent` is from_offset + sum i * from_stride in the input, likewise in the output.
struct Box {
  Shape extent, from_stride, to_stride;
  int64_t from_offset = 0, to_offset = 0;
};

Shape RowMajor(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

// each(from index, to index) for every element; a bijection, so any order and any thread will do.
template <class Each>
void ForBox(const Box& box, const Each& each) {
  const size_t last = box.extent.size() - 1;
  const int64_t row = box.extent[last], rows = NumElements(box.extent) / std::max<int64_t>(1, row);
  ForRows(rows, row, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t from = box.from_offset, to = box.to_offset, rest = r;
      for (size_t d = last; d-- > 0; rest /= box.extent[d]) {
        from += rest % box.extent[d] * box.from_stride[d];
        to += rest % box.extent[d] * box.to_stride[d];
      }
      for (int64_t i = 0; i < row; ++i) each(from + i * box.from_stride[last], to + i * box.to_stride[last]);
    }
  });
}

void MoveForward(Tape* tape, Var x, Var out, const Box& box) {
  const float* from = tape->value(x);
  float* to = tape->MutableValue(out);
  ForBox(box, [=](int64_t i, int64_t j) { to[j] = from[i]; });
}

void MoveBackward(Tape* tape, Var x, Var out, const Box& box) {
  if (!tape->needs_gradient(x)) return;
  const float* g = tape->gradient(out);
  const Tape::Sink sink = tape->GradientSink(x);
  if (!sink.adds) Fill(sink.data, tape->count(x), [](int64_t) { return 0.0f; });  // the box may not cover x
  ForBox(box, [=](int64_t i, int64_t j) { sink.data[i] += g[j]; });
}

Var MoveOne(Tape* tape, Var x, const Shape& shape, const Box& box) {
  const Var out = tape->Make(shape, {x});
  if (NumElements(box.extent) != tape->count(out)) {
    Fill(tape->MutableValue(out), tape->count(out), [](int64_t) { return 0.0f; });
  }
  MoveForward(tape, x, out, box);
  tape->OnBackward(out, [=] { MoveBackward(tape, x, out, box); });
  return out;
}

}  // namespace

Var Concat(Tape* tape, std::span<const Var> inputs, int64_t axis) {
  assert(!inputs.empty() && axis >= 0);
  const size_t d = static_cast<size_t>(axis);
  Shape shape = tape->shape(inputs[0]);
  shape[d] = 0;
  for (Var x : inputs) shape[d] += tape->shape(x)[d];
  const Var out = tape->Make(shape, inputs);
  std::vector<Box> boxes;
  int64_t position = 0;
  for (Var x : inputs) {
    const Shape& extent = tape->shape(x);
    boxes.push_back({extent, RowMajor(extent), RowMajor(shape), 0, position * RowMajor(shape)[d]});
    position += extent[d];
    MoveForward(tape, x, out, boxes.back());
  }
  tape->OnBackward(out, [=, sources = std::vector<Var>(inputs.begin(), inputs.end())] {
    for (size_t i = 0; i < sources.size(); ++i) MoveBackward(tape, sources[i], out, boxes[i]);
  });
  return out;
}

Var Slice(Tape* tape, Var x, std::span<const int64_t> begin, std::span<const int64_t> stride, const Shape& extent) {
  Box box{extent, RowMajor(tape->shape(x)), RowMajor(extent), 0, 0};
  for (size_t d = 0; d < extent.size(); ++d) {
    box.from_offset += begin[d] * box.from_stride[d];
    box.from_stride[d] *= stride[d];
  }
  return MoveOne(tape, x, extent, box);
}

Var Pad(Tape* tape, Var x, std::span<const int64_t> before, std::span<const int64_t> after) {
  const Shape& extent = tape->shape(x);
  Shape shape = extent;
  for (size_t d = 0; d < shape.size(); ++d) shape[d] += before[d] + after[d];
  Box box{extent, RowMajor(extent), RowMajor(shape), 0, 0};
  for (size_t d = 0; d < shape.size(); ++d) box.to_offset += before[d] * box.to_stride[d];
  return MoveOne(tape, x, shape, box);
}

Var Reshape(Tape* tape, Var x, const Shape& shape) {
  assert(NumElements(shape) == tape->count(x) && "Reshape: element counts differ");
  const Shape flat{tape->count(x)};
  return MoveOne(tape, x, shape, Box{flat, {1}, {1}, 0, 0});
}

Var Transpose(Tape* tape, Var x, std::span<const int64_t> permutation) {
  const Shape from = RowMajor(tape->shape(x));
  Shape shape(permutation.size()), strides(permutation.size());
  for (size_t d = 0; d < permutation.size(); ++d) {
    shape[d] = tape->shape(x)[static_cast<size_t>(permutation[d])];
    strides[d] = from[static_cast<size_t>(permutation[d])];
  }
  return MoveOne(tape, x, shape, Box{shape, strides, RowMajor(shape), 0, 0});
}

}  // namespace aq::converter::training
