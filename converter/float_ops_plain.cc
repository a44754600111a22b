// SPDX-License-Identifier: Apache-2.0
// Ops without weights as plain loops: they move or combine few numbers next to the products.
#include <algorithm>
#include <cstring>

#include "converter/float_ops.h"

namespace aq::converter {
namespace {

template <class F>
class LoopOp : public FloatOp {
 public:
  explicit LoopOp(F loop) : loop_(std::move(loop)) {}
  void Run(const std::vector<const float*>& inputs, float* output, Scratch*) const override { loop_(inputs, output); }

 private:
  F loop_;
};
template <class F>
std::unique_ptr<FloatOp> Loop(F loop) {
  return std::make_unique<LoopOp<F>>(std::move(loop));
}

using Inputs = std::vector<const float*>;

std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// Visits every index of `extent` in row-major order: fn(a, b), two offsets that move by their own strides.
template <class F>
void ForEach(const Shape& extent, const std::vector<int64_t>& a_strides, int64_t a,
             const std::vector<int64_t>& b_strides, int64_t b, F fn) {
  std::vector<int64_t> index(extent.size(), 0);
  const size_t last = extent.size() - 1;
  const int64_t rows = Elements(extent) / extent[last];
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < extent[last]; ++i) fn(a + i * a_strides[last], b + i * b_strides[last]);
    for (size_t d = last; d-- > 0;) {
      a += a_strides[d];
      b += b_strides[d];
      if (++index[d] < extent[d]) break;
      a -= a_strides[d] * extent[d];
      b -= b_strides[d] * extent[d];
      index[d] = 0;
    }
  }
}

float PoolOne(const Pool& pool, const float* plane, int64_t height, int64_t width, int64_t y, int64_t x) {
  const Window& w = pool.window;
  float best = -kInfinity;
  double sum = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < w.kernel_h; ++i) {
    const int64_t row = y * w.stride_h - w.pad_top + i * w.dilation_h;
    if (row < 0 || row >= height) continue;
    for (int64_t j = 0; j < w.kernel_w; ++j) {
      const int64_t col = x * w.stride_w - w.pad_left + j * w.dilation_w;
      if (col < 0 || col >= width) continue;
      const float value = plane[row * width + col];
      best = std::max(best, value);
      sum += static_cast<double>(value);
      ++count;
    }
  }
  if (pool.kind == PoolKind::kMax) return best;
  const int64_t divisor = pool.count_include_pad ? w.kernel_h * w.kernel_w : std::max<int64_t>(count, 1);
  return static_cast<float>(sum / static_cast<double>(divisor));
}

std::unique_ptr<FloatOp> MakePool(const Pool& pool, const OpShapes& shapes) {
  return Loop([pool, in = shapes.inputs[0], out = shapes.output](const Inputs& inputs, float* output) {
    for (int64_t c = 0; c < out[1]; ++c) {
      const float* plane = inputs[0] + c * in[2] * in[3];
      for (int64_t y = 0; y < out[2]; ++y) {
        for (int64_t x = 0; x < out[3]; ++x) *output++ = PoolOne(pool, plane, in[2], in[3], y, x);
      }
    }
  });
}

struct PlainMaker {
  const OpShapes& shapes;
  const Shape& in() const { return shapes.inputs[0]; }
  size_t size() const { return static_cast<size_t>(Elements(shapes.output)); }

  std::unique_ptr<FloatOp> operator()(const Conv&) const { return nullptr; }
  std::unique_ptr<FloatOp> operator()(const Dense&) const { return nullptr; }
  std::unique_ptr<FloatOp> operator()(const Add&) const {
    return Loop([n = size()](const Inputs& inputs, float* output) {
      for (size_t i = 0; i < n; ++i) output[i] = inputs[0][i] + inputs[1][i];
    });
  }
  std::unique_ptr<FloatOp> operator()(const Mul&) const {
    // One factor for each `inner` elements: 1, or a whole plane of {1, C, H, W}.
    const size_t inner = size() / static_cast<size_t>(Elements(shapes.inputs[1]));
    return Loop([n = size(), inner](const Inputs& inputs, float* output) {
      for (size_t i = 0; i < n; ++i) output[i] = inputs[0][i] * inputs[1][i / inner];
    });
  }
  std::unique_ptr<FloatOp> operator()(const Concat& concat) const {
    const auto axis = static_cast<std::ptrdiff_t>(concat.axis);
    std::vector<size_t> blocks;  // contiguous run of each input per outer index
    for (const Shape& input : shapes.inputs) {
      blocks.push_back(static_cast<size_t>(Elements(Shape(input.begin() + axis, input.end()))));
    }
    const int64_t outer = Elements(Shape(in().begin(), in().begin() + axis));
    return Loop([blocks, outer = static_cast<size_t>(outer)](const Inputs& inputs, float* output) {
      for (size_t o = 0; o < outer; ++o) {
        for (size_t i = 0; i < inputs.size(); ++i) {
          std::memcpy(output, inputs[i] + o * blocks[i], blocks[i] * sizeof(float));
          output += blocks[i];
        }
      }
    });
  }
  std::unique_ptr<FloatOp> operator()(const Pool& pool) const { return MakePool(pool, shapes); }
  std::unique_ptr<FloatOp> operator()(const Elementwise& e) const {
    return Loop([e, n = size()](const Inputs& inputs, float* output) {
      for (size_t i = 0; i < n; ++i) output[i] = Apply(e, inputs[0][i]);
    });
  }
  std::unique_ptr<FloatOp> operator()(const Reshape&) const {
    return Loop(
        [n = size()](const Inputs& inputs, float* output) { std::memcpy(output, inputs[0], n * sizeof(float)); });
  }
  std::unique_ptr<FloatOp> operator()(const Transpose& transpose) const {
    const std::vector<int64_t> in_strides = RowMajorStrides(in());
    std::vector<int64_t> strides;
    for (int64_t axis : transpose.permutation) strides.push_back(in_strides[static_cast<size_t>(axis)]);
    return Gather(strides, 0);
  }
  std::unique_ptr<FloatOp> operator()(const Slice& slice) const {
    std::vector<int64_t> strides = RowMajorStrides(in());
    int64_t offset = 0;
    for (size_t i = 0; i < strides.size(); ++i) {
      offset += slice.begin[i] * strides[i];
      strides[i] *= slice.stride[i];
    }
    return Gather(strides, offset);
  }
  std::unique_ptr<FloatOp> operator()(const Pad& pad) const {
    const std::vector<int64_t> in_strides = RowMajorStrides(in()), out_strides = RowMajorStrides(shapes.output);
    int64_t offset = 0;
    for (size_t i = 0; i < out_strides.size(); ++i) offset += pad.before[i] * out_strides[i];
    return Loop([=, extent = in(), n = size()](const Inputs& inputs, float* output) {
      std::fill_n(output, n, 0.0f);
      ForEach(extent, in_strides, 0, out_strides, offset,
              [&](int64_t from, int64_t to) { output[to] = inputs[0][from]; });
    });
  }
  // output[row-major] = input[offset + index * strides]
  std::unique_ptr<FloatOp> Gather(const std::vector<int64_t>& strides, int64_t offset) const {
    const std::vector<int64_t> out_strides = RowMajorStrides(shapes.output);
    return Loop([=, extent = shapes.output](const Inputs& inputs, float* output) {
      ForEach(extent, strides, offset, out_strides, 0, [&](int64_t from, int64_t to) { output[to] = inputs[0][from]; });
    });
  }
};

}  // namespace

std::unique_ptr<FloatOp> MakePlainOp(const Attributes& attributes, const OpShapes& shapes) {
  return std::visit(PlainMaker{shapes}, attributes);
}

}  // namespace aq::converter
