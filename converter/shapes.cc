// SPDX-License-Identifier: Apache-2.0
#include "converter/shapes.h"

#include <cinttypes>

namespace aq::converter {
namespace {

Status Bad(const std::string& what) { return Error(Code::kInvalidArgument, "%s", what.c_str()); }

Status CheckWindow(const Window& w) {
  for (int64_t v : {w.kernel_h, w.kernel_w, w.stride_h, w.stride_w, w.dilation_h, w.dilation_w}) {
    if (v < 1 || v > 65536) return Error(Code::kInvalidArgument, "kernel, stride or dilation %" PRId64, v);
  }
  for (int64_t v : {w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}) {
    if (v < 0 || v > 65536) return Error(Code::kInvalidArgument, "padding %" PRId64, v);
  }
  return {};
}

Result<Shape> WindowShape(const Window& w, const Shape& in, int64_t channels) {
  AQ_RETURN_IF_ERROR(CheckWindow(w));
  const int64_t h = WindowExtent(in[2], w.pad_top, w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h);
  const int64_t width = WindowExtent(in[3], w.pad_left, w.pad_right, w.kernel_w, w.dilation_w, w.stride_w);
  if (h < 1 || width < 1) return Bad("window does not fit the input " + ShapeText(in));
  return Shape{in[0], channels, h, width};
}

class Inference {
 public:
  Inference(const std::vector<Shape>& inputs, const Shape& declared) : inputs_(inputs), declared_(declared) {}

  Result<Shape> operator()(const Conv& conv) const {
    const Shape& in = inputs_[0];
    if (in.size() != 4) return Bad("Conv input " + ShapeText(in) + " has not 4 dimensions");
    const int64_t n = static_cast<int64_t>(conv.bias.size());
    if (conv.groups < 1 || n < 1 || in[1] % conv.groups != 0 || n % conv.groups != 0) {
      return Error(Code::kInvalidArgument,
                   "groups %" PRId64 " do not divide %" PRId64 " inputs and %" PRId64 " outputs", conv.groups, in[1],
                   n);
    }
    AQ_ASSIGN_OR_RETURN(Shape out, WindowShape(conv.window, in, n));
    const int64_t want = n * (in[1] / conv.groups) * conv.window.kernel_h * conv.window.kernel_w;
    if (static_cast<int64_t>(conv.weights.size()) != want) {
      return Error(Code::kInvalidArgument, "%zu weights, the shape needs %" PRId64, conv.weights.size(), want);
    }
    return WithResidual(out);
  }
  Result<Shape> operator()(const Dense& dense) const {
    const Shape& in = inputs_[0];
    const int64_t n = static_cast<int64_t>(dense.bias.size());
    if (in.size() != 2) return Bad("Dense input " + ShapeText(in) + " has not 2 dimensions");
    if (n < 1 || static_cast<int64_t>(dense.weights.size()) != n * in[1]) {
      return Error(Code::kInvalidArgument, "%zu weights, the shape needs %" PRId64, dense.weights.size(), n * in[1]);
    }
    return WithResidual({in[0], n});
  }
  Result<Shape> operator()(const Add&) const {
    if (inputs_[0] != inputs_[1]) return Bad("Add of " + ShapeText(inputs_[0]) + " and " + ShapeText(inputs_[1]));
    return inputs_[0];
  }
  Result<Shape> operator()(const Mul&) const {
    const Shape &a = inputs_[0], &b = inputs_[1];
    const bool is_per_channel = a.size() == 4 && b == Shape{a[0], a[1], 1, 1};
    if (a != b && !is_per_channel) return Bad("Mul of " + ShapeText(a) + " and " + ShapeText(b));
    return a;
  }
  Result<Shape> operator()(const Concat& concat) const {
    Shape out = inputs_[0];
    if (concat.axis < 1 || concat.axis >= static_cast<int64_t>(out.size())) {
      return Error(Code::kInvalidArgument, "Concat axis %" PRId64 " of rank %zu", concat.axis, out.size());
    }
    const size_t axis = static_cast<size_t>(concat.axis);
    out[axis] = 0;
    for (Shape in : inputs_) {
      if (in.size() != out.size()) return Bad("Concat of different ranks");
      out[axis] += in[axis];
      in[axis] = out[axis];
      if (in != out) return Bad("Concat of different shapes, " + ShapeText(in) + " and " + ShapeText(out));
    }
    return out;
  }
  Result<Shape> operator()(const Pool& pool) const {
    if (inputs_[0].size() != 4) return Bad("Pool input " + ShapeText(inputs_[0]) + " has not 4 dimensions");
    return WindowShape(pool.window, inputs_[0], inputs_[0][1]);
  }
  Result<Shape> operator()(const Elementwise&) const { return inputs_[0]; }
  Result<Shape> operator()(const Reshape&) const {
    if (Elements(inputs_[0]) != Elements(declared_)) {
      return Bad("Reshape of " + ShapeText(inputs_[0]) + " to " + ShapeText(declared_));
    }
    return declared_;
  }
  Result<Shape> operator()(const Transpose& transpose) const {
    const Shape& in = inputs_[0];
    std::vector<bool> seen(in.size());
    Shape out;
    for (int64_t axis : transpose.permutation) {
      if (axis < 0 || axis >= static_cast<int64_t>(in.size()) || seen[static_cast<size_t>(axis)]) break;
      seen[static_cast<size_t>(axis)] = true;
      out.push_back(in[static_cast<size_t>(axis)]);
    }
    if (out.size() != in.size() || transpose.permutation[0] != 0)
      return Bad("Transpose permutation of " + ShapeText(in));
    return out;
  }
  Result<Shape> operator()(const Slice& slice) const {
    const Shape& in = inputs_[0];
    const size_t rank = in.size();
    if (slice.begin.size() != rank || slice.stride.size() != rank || declared_.size() != rank) return Bad("Slice rank");
    for (size_t i = 0; i < rank; ++i) {
      if (slice.begin[i] < 0 || slice.stride[i] < 1 || declared_[i] < 1 || slice.begin[i] >= in[i] ||
          declared_[i] - 1 > (in[i] - 1 - slice.begin[i]) / slice.stride[i]) {
        return Bad("Slice of " + ShapeText(in) + " to " + ShapeText(declared_) + " leaves the input");
      }
    }
    return declared_;
  }
  Result<Shape> operator()(const Pad& pad) const {
    Shape out = inputs_[0];
    if (pad.before.size() != out.size() || pad.after.size() != out.size()) return Bad("Pad rank");
    for (size_t i = 0; i < out.size(); ++i) {
      if (pad.before[i] < 0 || pad.after[i] < 0 || pad.before[i] > 65536 || pad.after[i] > 65536) {
        return Bad("Pad of " + ShapeText(inputs_[0]) + ": amount out of range");
      }
      out[i] += pad.before[i] + pad.after[i];
    }
    return out;
  }

 private:
  Result<Shape> WithResidual(const Shape& out) const {
    if (inputs_.size() == 2 && inputs_[1] != out) {
      return Bad("residual " + ShapeText(inputs_[1]) + " added to " + ShapeText(out));
    }
    return out;
  }
  const std::vector<Shape>& inputs_;
  const Shape& declared_;
};

// Fewest and most inputs, by Attributes index (Conv, Dense, Add, Mul, Concat, Pool, Elementwise, Reshape, ...).
constexpr struct {
  size_t least, most;
} kArity[] = {{1, 2}, {1, 2}, {2, 2}, {2, 2}, {1, 1 << 16}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
static_assert(std::size(kArity) == std::variant_size_v<Attributes>);

}  // namespace

int64_t WindowExtent(int64_t in, int64_t pad_before, int64_t pad_after, int64_t kernel, int64_t dilation,
                     int64_t stride) {
  const int64_t room = in + pad_before + pad_after - ((kernel - 1) * dilation + 1);
  return room < 0 ? 0 : room / stride + 1;
}

std::string ShapeText(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Result<Shape> InferShape(const Attributes& attributes, const std::vector<Shape>& inputs, const Shape& declared) {
  const auto [least, most] = kArity[attributes.index()];
  if (inputs.size() < least || inputs.size() > most) {
    return Error(Code::kInvalidArgument, "%s with %zu inputs", OpName(attributes), inputs.size());
  }
  AQ_ASSIGN_OR_RETURN(Shape out, std::visit(Inference(inputs, declared), attributes));
  if (out.size() < 2 || out.size() > 6) return Bad("output " + ShapeText(out) + " has not 2 to 6 dimensions");
  if (out[0] != 1) return Bad("output " + ShapeText(out) + ": the batch must stay the first dimension");
  int64_t elements = 1;
  for (int64_t dim : out) {
    if (dim < 1 || dim > (int64_t{1} << 28) / elements)
      return Bad("output " + ShapeText(out) + " is empty or too large");
    elements *= dim;
  }
  return out;
}

}  // namespace aq::converter
