// SPDX-License-Identifier: Apache-2.0
#include "runtime/ops/window.h"

namespace aq {
namespace {

struct Axis {
  const char* name;
  int32_t kernel, stride, dilation, pad_before, pad_after, in, out;
};

Status CheckAxis(const OpContext& op, const Axis& axis) {
  const Limits& limits = op.model.limits;
  const auto check = [&](const char* what, int32_t value, uint32_t limit) -> Status {
    if (value < 1)
      return Error(Code::kCorrupt, "op %s: %s along %s is %d, below 1", op.op.name, what, axis.name, value);
    if (static_cast<uint32_t>(value) > limit) {
      return Error(Code::kLimit, "op %s: %s along %s is %d, the limit is %u", op.op.name, what, axis.name, value,
                   limit);
    }
    return {};
  };
  AQ_RETURN_IF_ERROR(check("kernel", axis.kernel, limits.max_kernel_dim));
  AQ_RETURN_IF_ERROR(check("stride", axis.stride, limits.max_stride));
  AQ_RETURN_IF_ERROR(check("dilation", axis.dilation, limits.max_stride));
  const int64_t extent = int64_t{axis.kernel - 1} * axis.dilation + 1;
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "padding", axis.pad_before, 0, extent - 1));
  AQ_RETURN_IF_ERROR(CheckRange(op.op, "padding", axis.pad_after, 0, extent - 1));
  const int64_t padded = int64_t{axis.in} + axis.pad_before + axis.pad_after;
  const int64_t out = padded < extent ? 0 : (padded - extent) / axis.stride + 1;
  if (out != axis.out) {
    return Error(Code::kCorrupt, "op %s: output %s has %d of %s, computed %lld", op.op.name, op.output(0).name,
                 axis.out, axis.name, static_cast<long long>(out));
  }
  return {};
}

}  // namespace

Status CheckWindow(const OpContext& op, const Window& window, const Image& in, const Image& out) {
  AQ_RETURN_IF_ERROR(CheckAxis(op, {"height", window.kernel_h, window.stride_h, window.dilation_h, window.pad_top,
                                    window.pad_bottom, in.h, out.h}));
  return CheckAxis(op, {"width", window.kernel_w, window.stride_w, window.dilation_w, window.pad_left, window.pad_right,
                        in.w, out.w});
}

ConvGeometry GeometryOf(const Window& window, const Image& in, const Image& out, int32_t groups) {
  ConvGeometry geometry;
  geometry.in_h = in.h;
  geometry.in_w = in.w;
  geometry.in_c = in.c;
  geometry.out_h = out.h;
  geometry.out_w = out.w;
  geometry.out_c = out.c;
  geometry.kernel_h = window.kernel_h;
  geometry.kernel_w = window.kernel_w;
  geometry.stride_h = window.stride_h;
  geometry.stride_w = window.stride_w;
  geometry.dilation_h = window.dilation_h;
  geometry.dilation_w = window.dilation_w;
  geometry.pad_top = window.pad_top;
  geometry.pad_left = window.pad_left;
  geometry.groups = groups;
  return geometry;
}

}  // namespace aq
