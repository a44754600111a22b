// SPDX-License-Identifier: Apache-2.0
// Import of operations that only move elements of an activation, and of Shape, which is a constant here.
#include <algorithm>
#include <cinttypes>

#include "converter/onnx_import.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

Status ImportShape(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Shape& in = node.ShapeOf(x);
  const int64_t rank = static_cast<int64_t>(in.size());
  int64_t start = node.attributes.Int("start", 0), end = node.attributes.Int("end", rank);
  start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, rank);
  const std::vector<int64_t> dims(in.begin() + start, in.begin() + end);
  node.BindConstant(0, node.op() == "Size" ? IntConstant({}, {Elements(in)})
                                           : IntConstant({static_cast<int64_t>(dims.size())}, dims));
  return {};
}

Status ImportReshape(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const auto given, node.Ints("shape", 1, 5));
  if (!given) return Error(Code::kCorrupt, "%s: input 1 is missing", node.Name().c_str());
  std::vector<int64_t> dims = *given;
  // The file's own fixed batch size is 1 here.
  if (!dims.empty() && node.fixed_batch() > 1 && dims[0] == node.fixed_batch()) dims[0] = 1;
  AQ_ASSIGN_OR_RETURN(const Shape shape, ReshapeShape(node.ShapeOf(x), dims, node.attributes.Int("allowzero", 0) != 0));
  return node.Finish(Reshape{}, {x}, shape, 0);
}

Status ImportFlatten(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Shape& in = node.ShapeOf(x);
  int64_t axis = node.attributes.Int("axis", 1);
  const int64_t rank = static_cast<int64_t>(in.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank) return Error(Code::kCorrupt, "%s: axis %" PRId64, node.Name().c_str(), axis);
  Shape out = {1, 1};
  for (int64_t i = 0; i < rank; ++i) out[i < axis ? 0 : 1] *= in[static_cast<size_t>(i)];
  return node.Finish(Reshape{}, {x}, out, 0);
}

Status ImportSqueeze(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const auto axes, node.Ints("axes", 1, 13));
  const bool is_squeeze = node.op() == "Squeeze";
  if (!is_squeeze && !axes) return Error(Code::kCorrupt, "%s: axes are missing", node.Name().c_str());
  const std::vector<int64_t> given = axes.value_or(std::vector<int64_t>());
  AQ_ASSIGN_OR_RETURN(const Shape shape,
                      is_squeeze ? SqueezeShape(node.ShapeOf(x), given) : UnsqueezeShape(node.ShapeOf(x), given));
  return node.Finish(Reshape{}, {x}, shape, 0);
}

Status ImportTranspose(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  Transpose transpose{node.attributes.Ints("perm")};
  for (size_t i = node.ShapeOf(x).size(); !node.attributes.Has("perm") && i > 0;) {
    transpose.permutation.push_back(static_cast<int64_t>(--i));
  }
  return node.Finish(std::move(transpose), {x}, {}, 0);
}

Status ImportSlice(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const std::vector<int64_t> none;
  AQ_ASSIGN_OR_RETURN(const auto starts, node.Ints("starts", 1, 10));
  AQ_ASSIGN_OR_RETURN(const auto ends, node.Ints("ends", 2, 10));
  AQ_ASSIGN_OR_RETURN(const auto axes, node.Ints("axes", 3, 10));
  AQ_ASSIGN_OR_RETURN(const auto steps, node.Ints("steps", 4, 10));
  AQ_ASSIGN_OR_RETURN(const SliceSpec spec, ResolveSlice(node.ShapeOf(x), starts.value_or(none), ends.value_or(none),
                                                         axes.value_or(none), steps.value_or(none)));
  if (*std::min_element(spec.stride.begin(), spec.stride.end()) < 1) return NotSupported("negative step");
  return node.Finish(Slice{spec.begin, spec.stride}, {x}, spec.extent, 0);
}

Status ImportSplit(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Shape in = node.ShapeOf(x);
  AQ_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(node.attributes.Int("axis", 0), in.size()));
  AQ_ASSIGN_OR_RETURN(const auto given, node.Ints("split", 1, 13));
  const int64_t parts = static_cast<int64_t>(node.num_outputs());
  std::vector<int64_t> sizes = given.value_or(std::vector<int64_t>());
  if (!given) {  // equal parts, the last one smaller (opset 18)
    const int64_t part = (in[axis] + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(part, in[axis] - i * part));
  }
  int64_t sum = 0;
  for (int64_t size : sizes) {
    if (size < 1 || size > in[axis]) return Error(Code::kCorrupt, "%s: part of %" PRId64, node.Name().c_str(), size);
    sum += size;
  }
  if (sizes.size() != node.num_outputs() || sum != in[axis]) {
    return Error(Code::kCorrupt, "%s: %zu parts of %" PRId64 " in all for %zu outputs of %" PRId64, node.Name().c_str(),
                 sizes.size(), sum, node.num_outputs(), in[axis]);
  }
  Slice slice{std::vector<int64_t>(in.size(), 0), std::vector<int64_t>(in.size(), 1)};
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape extent = in;
    extent[axis] = sizes[i];
    AQ_RETURN_IF_ERROR(node.Finish(slice, {x}, extent, i));
    slice.begin[axis] += sizes[i];
  }
  return {};
}

Status ImportConcat(NodeImport& node) {
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < node.num_inputs(); ++i) {
    AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(i));
    inputs.push_back(x);
  }
  if (inputs.empty()) return Error(Code::kCorrupt, "%s: no inputs", node.Name().c_str());
  AQ_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(node.attributes.Int("axis", 1), node.ShapeOf(inputs[0]).size()));
  return node.Finish(Concat{static_cast<int64_t>(axis)}, inputs, {}, 0);
}

// Zeros only. Negative amounts cut: a Slice first.
Status ImportPad(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(ValueId x, node.Input(0));
  const Shape in = node.ShapeOf(x);
  const size_t rank = in.size();
  if (const std::string mode = node.attributes.String("mode", "constant"); mode != "constant") {
    return NotSupported("mode %s", mode.c_str());
  }
  AQ_ASSIGN_OR_RETURN(const auto value, node.Scalar("value", 2, 11));
  if (value.value_or(0.0f) != 0.0f) return NotSupported("with the value %g", static_cast<double>(*value));
  AQ_ASSIGN_OR_RETURN(const auto pads, node.Ints("pads", 1, 11));
  std::vector<size_t> axes;
  for (size_t i = 0; i < rank; ++i) axes.push_back(i);
  if (node.Has(3)) {  // opset 18
    AQ_ASSIGN_OR_RETURN(const auto given, node.Ints("axes", 3, 18));
    AQ_ASSIGN_OR_RETURN(axes, NormalizeAxes(*given, rank));
  }
  if (!pads || pads->size() != 2 * axes.size()) {
    return Error(Code::kCorrupt, "%s: %zu pads for %zu dimensions", node.Name().c_str(), pads ? pads->size() : 0,
                 axes.size());
  }
  Pad pad{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  Slice slice{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 1)};
  Shape extent = in;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t before = (*pads)[i], after = (*pads)[axes.size() + i];
    for (int64_t amount : {before, after}) {
      if (amount < -in[axes[i]] || amount > 65536) {
        return NotSupported("amount %" PRId64 " on %s", amount, ShapeText(in).c_str());
      }
    }
    pad.before[axes[i]] = std::max<int64_t>(before, 0);
    pad.after[axes[i]] = std::max<int64_t>(after, 0);
    slice.begin[axes[i]] = std::max<int64_t>(-before, 0);
    extent[axes[i]] += std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
  }
  if (extent != in) {
    AQ_ASSIGN_OR_RETURN(x, node.Emit("cut", std::move(slice), {x}, extent));
  }
  return node.Finish(std::move(pad), {x}, {}, 0);
}

// Only to the shape it has.
Status ImportExpand(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const auto target, node.Ints("shape", 1, 8));
  if (!target) return Error(Code::kCorrupt, "%s: input 1 is missing", node.Name().c_str());
  const Shape& in = node.ShapeOf(x);
  for (int64_t dim : *target) {
    if (dim < 0) return Error(Code::kCorrupt, "%s: dimension %" PRId64, node.Name().c_str(), dim);
  }
  AQ_ASSIGN_OR_RETURN(const Shape out, BroadcastShape(in, *target));
  if (out != in) return NotSupported("%s to %s", ShapeText(in).c_str(), ShapeText(out).c_str());
  node.Bind(0, x);
  return {};
}

// One index along a dimension other than the batch.
Status ImportGather(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const Constant* indices, node.ConstantInput(1));
  const Shape in = node.ShapeOf(x);
  AQ_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(node.attributes.Int("axis", 0), in.size()));
  if (indices->is_float || indices->size() != 1) return NotSupported("more than one index");
  int64_t index = indices->ints[0];
  if (index < -in[axis] || index >= in[axis]) {
    return Error(Code::kCorrupt, "%s: index %" PRId64 " of %" PRId64, node.Name().c_str(), index, in[axis]);
  }
  if (index < 0) index += in[axis];
  Slice slice{std::vector<int64_t>(in.size(), 0), std::vector<int64_t>(in.size(), 1)};
  slice.begin[axis] = index;
  Shape extent = in;
  extent[axis] = 1;
  AQ_ASSIGN_OR_RETURN(const ValueId part, node.Emit("index", std::move(slice), {x}, extent));
  Shape out = extent;
  if (indices->shape.empty()) out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
  return node.Finish(Reshape{}, {part}, out, 0);
}

}  // namespace

std::vector<ImportRow> ShapeOps() {
  return {{"Shape", ImportShape},         {"Size", ImportShape},      {"Reshape", ImportReshape},
          {"Flatten", ImportFlatten},     {"Squeeze", ImportSqueeze}, {"Unsqueeze", ImportSqueeze},
          {"Transpose", ImportTranspose}, {"Slice", ImportSlice},     {"Split", ImportSplit},
          {"Concat", ImportConcat},       {"Pad", ImportPad},         {"Expand", ImportExpand},
          {"Gather", ImportGather}};
}

}  // namespace aq::converter
