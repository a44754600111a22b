// SPDX-License-Identifier: Apache-2.0
// Constant folding, operations that move or select elements.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cinttypes>

#include "converter/onnx_fold.h"
#include "converter/onnx_node.h"

namespace aq::converter::internal {
namespace {

std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Result<Constant> WithShape(const Constant& in, Result<Shape> shape) {
  AQ_ASSIGN_OR_RETURN(const Shape checked, std::move(shape));
  Constant out = in;
  out.shape = checked;
  return out;
}

Result<std::vector<int64_t>> Integers(const std::vector<const Constant*>& inputs, size_t i) {
  if (i >= inputs.size() || !inputs[i]) return std::vector<int64_t>();
  if (inputs[i]->is_float) return Error(Code::kCorrupt, "input %zu must hold integers", i);
  return inputs[i]->ints;
}

Result<Constant> Concat(const NodeAttributes& attributes, const std::vector<const Constant*>& inputs) {
  AQ_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(attributes.Int("axis", 0), inputs[0]->shape.size()));
  Constant out;
  out.shape = inputs[0]->shape;
  out.shape[axis] = 0;
  for (const Constant* in : inputs) {
    if (!in || in->shape.size() != out.shape.size()) return Error(Code::kCorrupt, "Concat of different ranks");
    for (size_t i = 0; i < out.shape.size(); ++i) {
      if (i != axis && in->shape[i] != out.shape[i]) return Error(Code::kCorrupt, "Concat of different shapes");
    }
    out.shape[axis] += in->shape[axis];
    out.is_float = out.is_float || in->is_float;
  }
  AQ_RETURN_IF_ERROR(CheckedElements(out.shape, "Concat result", kMaxFoldedElements).status());
  int64_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= out.shape[i];
  for (int64_t o = 0; o < outer; ++o) {
    for (const Constant* in : inputs) {
      const size_t block = in->size() / static_cast<size_t>(outer), begin = static_cast<size_t>(o) * block;
      for (size_t i = begin; i < begin + block; ++i) {
        if (out.is_float) {
          out.floats.push_back(in->AsFloat(i));
        } else {
          out.ints.push_back(in->ints[i]);
        }
      }
    }
  }
  return out;
}

Result<Constant> Gather(const NodeAttributes& attributes, const Constant& in, const Constant& indices) {
  AQ_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(attributes.Int("axis", 0), in.shape.size()));
  if (indices.is_float) return Error(Code::kCorrupt, "Gather indices must be integers");
  const int64_t dim = in.shape[axis];
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= in.shape[i];
  for (size_t i = axis + 1; i < in.shape.size(); ++i) inner *= in.shape[i];
  Constant out;
  out.is_float = in.is_float;
  out.shape.assign(in.shape.begin(), in.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  out.shape.insert(out.shape.end(), indices.shape.begin(), indices.shape.end());
  out.shape.insert(out.shape.end(), in.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, in.shape.end());
  AQ_RETURN_IF_ERROR(CheckedElements(out.shape, "Gather result", kMaxFoldedElements).status());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : indices.ints) {
      if (index < -dim || index >= dim) {
        return Error(Code::kCorrupt, "Gather index %" PRId64 " of a dimension %" PRId64 " long", index, dim);
      }
      const int64_t begin = (o * dim + (index < 0 ? index + dim : index)) * inner;
      for (int64_t i = begin; i < begin + inner; ++i) {
        if (in.is_float) {
          out.floats.push_back(in.floats[static_cast<size_t>(i)]);
        } else {
          out.ints.push_back(in.ints[static_cast<size_t>(i)]);
        }
      }
    }
  }
  return out;
}

Result<Constant> Transpose(const NodeAttributes& attributes, const Constant& in) {
  std::vector<int64_t> permutation = attributes.Ints("perm");
  for (size_t i = in.shape.size(); permutation.size() < in.shape.size() && !attributes.Has("perm");) {
    permutation.push_back(static_cast<int64_t>(--i));
  }
  AQ_ASSIGN_OR_RETURN(const std::vector<size_t> axes, NormalizeAxes(permutation, in.shape.size()));
  if (axes.size() != in.shape.size()) return Error(Code::kCorrupt, "Transpose permutation of another rank");
  const std::vector<int64_t> in_strides = RowMajorStrides(in.shape);
  Shape extent;
  std::vector<int64_t> strides;
  for (size_t axis : axes) {
    extent.push_back(in.shape[axis]);
    strides.push_back(in_strides[axis]);
  }
  return Strided(in, extent, strides, 0);
}

Result<Constant> Slice(const NodeAttributes& attributes, int64_t opset, const std::vector<const Constant*>& inputs) {
  std::vector<int64_t> starts = attributes.Ints("starts"), ends = attributes.Ints("ends"), steps;
  std::vector<int64_t> axes = attributes.Ints("axes");
  if (opset >= 10) {
    AQ_ASSIGN_OR_RETURN(starts, Integers(inputs, 1));
    AQ_ASSIGN_OR_RETURN(ends, Integers(inputs, 2));
    AQ_ASSIGN_OR_RETURN(axes, Integers(inputs, 3));
    AQ_ASSIGN_OR_RETURN(steps, Integers(inputs, 4));
  }
  const Constant& in = *inputs[0];
  AQ_ASSIGN_OR_RETURN(const SliceSpec spec, ResolveSlice(in.shape, starts, ends, axes, steps));
  std::vector<int64_t> strides = RowMajorStrides(in.shape);
  int64_t offset = 0;
  for (size_t i = 0; i < strides.size(); ++i) {
    offset += spec.begin[i] * strides[i];
    strides[i] *= spec.stride[i];
  }
  return Strided(in, spec.extent, strides, offset);
}

}  // namespace

Constant Strided(const Constant& in, const Shape& extent, const std::vector<int64_t>& strides, int64_t offset) {
  Constant out;
  out.shape = extent;
  out.is_float = in.is_float;
  const size_t n = static_cast<size_t>(Elements(extent));
  out.is_float ? out.floats.resize(n) : out.ints.resize(n);
  std::vector<int64_t> index(extent.size(), 0);
  for (size_t i = 0; i < n; ++i) {
    if (out.is_float) {
      out.floats[i] = in.floats[static_cast<size_t>(offset)];
    } else {
      out.ints[i] = in.ints[static_cast<size_t>(offset)];
    }
    for (size_t d = extent.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < extent[d]) break;
      offset -= strides[d] * extent[d];
      index[d] = 0;
    }
  }
  return out;
}

Constant BroadcastTo(const Constant& in, const Shape& shape) {
  const std::vector<int64_t> in_strides = RowMajorStrides(in.shape);
  std::vector<int64_t> strides(shape.size(), 0);
  for (size_t i = 0; i < in.shape.size(); ++i) {
    if (in.shape[i] != 1) strides[shape.size() - in.shape.size() + i] = in_strides[i];
  }
  return Strided(in, shape, strides, 0);
}

Result<Constant> FoldMovement(const onnx::NodeProto& node, int64_t opset, const std::vector<const Constant*>& inputs) {
  const NodeAttributes attributes(node);
  const std::string& op = node.op_type();
  const Constant& in = *inputs[0];
  if (op == "Shape") return IntConstant({static_cast<int64_t>(in.shape.size())}, in.shape);
  if (op == "Size") return IntConstant({}, {static_cast<int64_t>(in.size())});
  if (op == "Concat") return Concat(attributes, inputs);
  if (op == "Gather") return Gather(attributes, in, *inputs[1]);
  if (op == "Transpose") return Transpose(attributes, in);
  if (op == "Slice") return Slice(attributes, opset, inputs);
  if (op == "Squeeze" || op == "Unsqueeze") {
    std::vector<int64_t> axes = attributes.Ints("axes");
    if (opset >= 13) {
      AQ_ASSIGN_OR_RETURN(axes, Integers(inputs, 1));
    }
    if (op == "Unsqueeze") return WithShape(in, UnsqueezeShape(in.shape, axes));
    if (!axes.empty()) return WithShape(in, SqueezeShape(in.shape, axes));
    Shape shape = in.shape;  // a constant has no batch: every 1 goes
    std::erase(shape, 1);
    return WithShape(in, shape);
  }
  if (op == "Reshape") {
    AQ_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, Integers(inputs, 1));
    return WithShape(in, ReshapeShape(in.shape, dims, attributes.Int("allowzero", 0) != 0));
  }
  if (op == "Flatten") {
    int64_t axis = attributes.Int("axis", 1);
    const int64_t rank = static_cast<int64_t>(in.shape.size());
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank) return Error(Code::kCorrupt, "Flatten axis %" PRId64, axis);
    Shape shape = {1, 1};
    for (int64_t i = 0; i < rank; ++i) shape[i < axis ? 0 : 1] *= in.shape[static_cast<size_t>(i)];
    return WithShape(in, shape);
  }
  if (op == "Expand") {
    AQ_ASSIGN_OR_RETURN(const std::vector<int64_t> target, Integers(inputs, 1));
    AQ_RETURN_IF_ERROR(CheckedElements(target, node.name(), kMaxFoldedElements).status());
    AQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(in.shape, target));
    return BroadcastTo(in, shape);
  }
  return Error(Code::kNotFound, "%s", op.c_str());
}

}  // namespace aq::converter::internal
