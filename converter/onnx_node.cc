// SPDX-License-Identifier: Apache-2.0
#include "converter/onnx_node.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cinttypes>

#include "converter/onnx_tensor.h"
#include "converter/shapes.h"

namespace aq::converter {

const onnx::AttributeProto* NodeAttributes::Find(const char* name) const {
  for (const auto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

int64_t NodeAttributes::Int(const char* name, int64_t fallback) const {
  const auto* attribute = Find(name);
  return attribute ? attribute->i() : fallback;
}

float NodeAttributes::Float(const char* name, float fallback) const {
  const auto* attribute = Find(name);
  return attribute ? attribute->f() : fallback;
}

std::string NodeAttributes::String(const char* name, const std::string& fallback) const {
  const auto* attribute = Find(name);
  return attribute ? attribute->s() : fallback;
}

std::vector<int64_t> NodeAttributes::Ints(const char* name) const {
  const auto* attribute = Find(name);
  if (!attribute) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> NodeAttributes::Floats(const char* name) const {
  const auto* attribute = Find(name);
  if (!attribute) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

Result<size_t> NormalizeAxis(int64_t axis, size_t rank) {
  const int64_t signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return Error(Code::kCorrupt, "axis %" PRId64 " of a tensor with %zu dimensions", axis, rank);
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

Result<std::vector<size_t>> NormalizeAxes(const std::vector<int64_t>& axes, size_t rank) {
  std::vector<size_t> out;
  for (int64_t axis : axes) {
    AQ_ASSIGN_OR_RETURN(const size_t normal, NormalizeAxis(axis, rank));
    if (std::count(out.begin(), out.end(), normal)) return Error(Code::kCorrupt, "axis %" PRId64 " given twice", axis);
    out.push_back(normal);
  }
  return out;
}

Result<Shape> SqueezeShape(const Shape& in, const std::vector<int64_t>& axes) {
  AQ_ASSIGN_OR_RETURN(const std::vector<size_t> normal, NormalizeAxes(axes, in.size()));
  Shape out;
  for (size_t i = 0; i < in.size(); ++i) {
    const bool is_named = std::count(normal.begin(), normal.end(), i) > 0;
    if (is_named && in[i] != 1) return Error(Code::kCorrupt, "Squeeze of dimension %zu, %" PRId64 " long", i, in[i]);
    if (!(is_named || (axes.empty() && in[i] == 1 && i != 0))) out.push_back(in[i]);
  }
  return out;
}

Result<Shape> UnsqueezeShape(const Shape& in, const std::vector<int64_t>& axes) {
  const size_t rank = in.size() + axes.size();
  AQ_ASSIGN_OR_RETURN(const std::vector<size_t> normal, NormalizeAxes(axes, rank));
  Shape out(rank, 0);
  for (size_t axis : normal) out[axis] = 1;
  size_t next = 0;
  for (size_t i = 0; i < rank; ++i) {
    if (!std::count(normal.begin(), normal.end(), i)) out[i] = in[next++];
  }
  return out;
}

Result<Shape> ReshapeShape(const Shape& in, std::vector<int64_t> dims, bool is_zero_literal) {
  int64_t known = 1;
  size_t inferred = dims.size();
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !is_zero_literal) {
      if (i >= in.size()) return Error(Code::kCorrupt, "Reshape copies dimension %zu of %s", i, ShapeText(in).c_str());
      dims[i] = in[i];
    }
    if (dims[i] == -1 && inferred == dims.size()) {
      inferred = i;
    } else if (dims[i] < 0 || __builtin_mul_overflow(known, dims[i], &known)) {
      return Error(Code::kCorrupt, "Reshape to %s", ShapeText(dims).c_str());
    }
  }
  const int64_t elements = Elements(in);
  if (inferred < dims.size()) dims[inferred] = known > 0 ? elements / known : 0;
  const bool is_exact = inferred < dims.size() ? known > 0 && elements % known == 0 : known == elements;
  if (!is_exact) {
    return Error(Code::kCorrupt, "Reshape of %s to %s", ShapeText(in).c_str(), ShapeText(dims).c_str());
  }
  return dims;
}

Result<Shape> BroadcastShape(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {  // from the last dimension
    const int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1, db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) {
      return Error(Code::kCorrupt, "%s and %s do not broadcast", ShapeText(a).c_str(), ShapeText(b).c_str());
    }
    out[out.size() - 1 - i] = da == 1 ? db : da;
  }
  AQ_RETURN_IF_ERROR(CheckedElements(out, "broadcast result", kMaxFoldedElements).status());
  return out;
}

Result<SliceSpec> ResolveSlice(const Shape& in, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
                               const std::vector<int64_t>& axes, const std::vector<int64_t>& steps) {
  if (starts.size() != ends.size() || (!axes.empty() && axes.size() != starts.size()) ||
      (!steps.empty() && steps.size() != starts.size()) || starts.size() > in.size()) {
    return Error(Code::kCorrupt, "Slice: %zu starts, %zu ends, %zu axes, %zu steps", starts.size(), ends.size(),
                 axes.size(), steps.size());
  }
  SliceSpec spec{std::vector<int64_t>(in.size(), 0), std::vector<int64_t>(in.size(), 1), in};
  std::vector<int64_t> all_axes = axes;
  for (size_t i = 0; axes.empty() && i < starts.size(); ++i) all_axes.push_back(static_cast<int64_t>(i));
  AQ_ASSIGN_OR_RETURN(const std::vector<size_t> normal, NormalizeAxes(all_axes, in.size()));
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t dim = in[normal[i]], step = steps.empty() ? 1 : steps[i];
    if (step == 0) return Error(Code::kCorrupt, "Slice: step 0");
    // Forward: [0, dim]. Backward: starts at most at the last element, may end before the first (-1).
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    auto clamp = [&](int64_t position) {
      if (position < 0) position = position < -dim ? low : position + dim;
      return std::clamp(position, std::min(low, high), high);
    };
    const int64_t begin = clamp(starts[i]), end = clamp(ends[i]);
    const int64_t distance = step > 0 ? end - begin : begin - end;
    // |step| without overflow at the most negative value; one step then always leaves the tensor.
    const int64_t size = step > 0 ? step : (step < -dim - 1 ? dim + 1 : -step);
    spec.begin[normal[i]] = begin;
    spec.stride[normal[i]] = step > 0 ? std::min(step, dim + 1) : -size;
    spec.extent[normal[i]] = distance <= 0 ? 0 : (distance - 1) / size + 1;
  }
  return spec;
}

}  // namespace aq::converter
