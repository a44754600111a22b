// SPDX-License-Identifier: Apache-2.0
// Import of pooling and of reductions over the image, and the window attributes they share with Conv.
#include <algorithm>
#include <cinttypes>

#include "converter/onnx_import.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

// One spatial dimension of a window.
struct Side {
  int64_t kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
  int64_t reach() const { return (kernel - 1) * dilation + 1; }
};

Status AutoPad(const std::string& mode, int64_t in, Side* side) {
  side->before = side->after = 0;
  if (mode == "VALID") return {};
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") return NotSupported("auto_pad %s", mode.c_str());
  const int64_t out = (in + side->stride - 1) / side->stride;
  const int64_t total = std::max<int64_t>(0, (out - 1) * side->stride + side->reach() - in);
  side->before = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
  side->after = total - side->before;
  return {};
}

// ceil_mode as more padding at the end; a last window that would start in the padding is dropped (as PyTorch does).
void CeilPad(int64_t in, Side* side) {
  const int64_t room = in + side->before + side->after - side->reach();
  if (room < 0) return;
  int64_t out = (room + side->stride - 1) / side->stride + 1;
  if ((out - 1) * side->stride >= in + side->before) --out;
  side->after = std::max(side->after, (out - 1) * side->stride + side->reach() - in - side->before);
}

Status ImportPool(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Shape in = node.ShapeOf(x);
  if (in.size() != 3 && in.size() != 4) return NotSupported("%zu dimensions, 3 or 4 are supported", in.size());
  Pool pool;
  pool.kind = node.op() == "MaxPool" ? PoolKind::kMax : PoolKind::kAverage;
  pool.count_include_pad = node.attributes.Int("count_include_pad", 0) != 0;
  AQ_ASSIGN_OR_RETURN(pool.window, ReadWindow(node, in, node.attributes.Ints("kernel_shape")));
  if (node.attributes.Int("ceil_mode", 0) != 0 && node.attributes.String("auto_pad", "NOTSET") == "NOTSET") {
    Window& w = pool.window;
    Side sides[2] = {{w.kernel_h, w.stride_h, w.dilation_h, w.pad_top, w.pad_bottom},
                     {w.kernel_w, w.stride_w, w.dilation_w, w.pad_left, w.pad_right}};
    CeilPad(in.size() == 4 ? in[2] : 1, &sides[0]);
    CeilPad(in.back(), &sides[1]);
    const bool has_grown = sides[0].after != w.pad_bottom || sides[1].after != w.pad_right;
    if (has_grown && pool.count_include_pad) return NotSupported("ceil_mode with count_include_pad");
    w.pad_bottom = sides[0].after;
    w.pad_right = sides[1].after;
  }
  AQ_ASSIGN_OR_RETURN(const ValueId lifted, node.LiftTo4d(x));
  return node.FinishLifted(pool, {lifted}, in.size());
}

Pool WholeImage(PoolKind kind, const Shape& in) {
  return {.kind = kind, .window = {.kernel_h = in[2], .kernel_w = in[3]}, .count_include_pad = false};
}

Status ImportGlobalPool(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const size_t rank = node.ShapeOf(x).size();
  if (rank < 3) return NotSupported("%zu dimensions, 3 or 4 are supported", rank);
  AQ_ASSIGN_OR_RETURN(const ValueId lifted, node.LiftTo4d(x));
  const PoolKind kind = node.op() == "GlobalMaxPool" ? PoolKind::kMax : PoolKind::kAverage;
  return node.FinishLifted(WholeImage(kind, node.ShapeOf(lifted)), {lifted}, rank);
}

// Over all spatial dimensions of {1, C, H, W}, {1, C, L}, or of channels-last {1, H, W, C}.
Status ImportReduce(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Shape in = node.ShapeOf(x);
  AQ_ASSIGN_OR_RETURN(const auto given, node.Ints("axes", 1, 18));
  if (!given) return NotSupported("reduction over the batch");
  AQ_ASSIGN_OR_RETURN(std::vector<size_t> axes, NormalizeAxes(*given, in.size()));
  std::sort(axes.begin(), axes.end());
  ValueId image = x;
  const bool is_channels_last = in.size() == 4 && axes == std::vector<size_t>{1, 2};
  if (is_channels_last) {
    AQ_ASSIGN_OR_RETURN(image, node.Emit("nchw", Transpose{{0, 3, 1, 2}}, {x}, {}));
  } else if (!(in.size() == 4 && axes == std::vector<size_t>{2, 3}) &&
             !(in.size() == 3 && axes == std::vector<size_t>{2})) {
    return NotSupported("axes %s of %s; only over the whole image", ShapeText(*given).c_str(), ShapeText(in).c_str());
  }
  AQ_ASSIGN_OR_RETURN(image, node.LiftTo4d(image));
  const PoolKind kind = node.op() == "ReduceMax" ? PoolKind::kMax : PoolKind::kAverage;
  const Shape lifted = node.ShapeOf(image);
  const bool keeps_dims = node.attributes.Int("keepdims", 1) != 0;
  if (keeps_dims && in.size() == 4 && !is_channels_last) return node.Finish(WholeImage(kind, lifted), {image}, {}, 0);
  AQ_ASSIGN_OR_RETURN(const ValueId pooled, node.Emit("pool", WholeImage(kind, lifted), {image}, {}));
  Shape out = in;
  for (size_t axis : axes) out[axis] = 1;
  if (!keeps_dims) out = {1, lifted[1]};
  return node.Finish(Reshape{}, {pooled}, out, 0);
}

}  // namespace

Result<Window> ReadWindow(const NodeImport& node, const Shape& in, const std::vector<int64_t>& kernel) {
  const size_t rank = in.size() - 2;
  const std::vector<int64_t> strides = node.attributes.Ints("strides"), dilations = node.attributes.Ints("dilations"),
                             pads = node.attributes.Ints("pads");
  if (kernel.size() != rank || (!strides.empty() && strides.size() != rank) ||
      (!dilations.empty() && dilations.size() != rank) || (!pads.empty() && pads.size() != 2 * rank)) {
    return Error(Code::kCorrupt, "%s: kernel, strides, dilations or pads do not have %zu spatial dimensions",
                 node.Name().c_str(), rank);
  }
  const std::string auto_pad = node.attributes.String("auto_pad", "NOTSET");
  Side sides[2];
  for (size_t i = 0; i < rank; ++i) {
    Side& side = sides[2 - rank + i];
    side.kernel = kernel[i];
    if (!strides.empty()) side.stride = strides[i];
    if (!dilations.empty()) side.dilation = dilations[i];
    if (!pads.empty()) side.before = pads[i], side.after = pads[rank + i];
    for (int64_t v : {side.kernel, side.stride, side.dilation}) {
      if (v < 1 || v > 65536) return Error(Code::kCorrupt, "%s: window attribute %" PRId64, node.Name().c_str(), v);
    }
    if (auto_pad != "NOTSET" && !auto_pad.empty()) AQ_RETURN_IF_ERROR(AutoPad(auto_pad, in[2 + i], &side));
    if (side.before < 0 || side.after < 0) return NotSupported("negative padding");
    if (side.before > 65536 || side.after > 65536) return NotSupported("padding over 65536");
  }
  return Window{.kernel_h = sides[0].kernel,
                .kernel_w = sides[1].kernel,
                .stride_h = sides[0].stride,
                .stride_w = sides[1].stride,
                .dilation_h = sides[0].dilation,
                .dilation_w = sides[1].dilation,
                .pad_top = sides[0].before,
                .pad_left = sides[1].before,
                .pad_bottom = sides[0].after,
                .pad_right = sides[1].after};
}

std::vector<ImportRow> PoolOps() {
  return {{"MaxPool", ImportPool},
          {"AveragePool", ImportPool},
          {"GlobalAveragePool", ImportGlobalPool},
          {"GlobalMaxPool", ImportGlobalPool},
          {"ReduceMean", ImportReduce},
          {"ReduceMax", ImportReduce}};
}

}  // namespace aq::converter
