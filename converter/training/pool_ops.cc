// SPDX-License-Identifier: Apache-2.0
// Maximum and average pooling, image plane by image plane. Global pooling is a window as large as the image.
#include <algorithm>
#include <cassert>
#include <limits>

#include "converter/training/accumulate.h"
#include "converter/training/ops.h"

namespace aq::converter::training {
namespace {

struct Geometry {
  int64_t planes, in_h, in_w, out_h, out_w;
  Window window;
};

Geometry GeometryOf(const Shape& x, const Window& w) {
  assert(x.size() == 4 && "pooling needs [n, c, h, w]");
  const auto extent = [](int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride) {
    return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
  };
  return {x[0] * x[1],
          x[2],
          x[3],
          extent(x[2], w.pad_top + w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h),
          extent(x[3], w.pad_left + w.pad_right, w.kernel_w, w.dilation_w, w.stride_w),
          w};
}

// each(input index) for the taps of output pixel (y, x) that lie in the image.
template <class Each>
void ForTaps(const Geometry& g, int64_t plane, int64_t y, int64_t x, const Each& each) {
  for (int64_t i = 0; i < g.window.kernel_h; ++i) {
    const int64_t row = y * g.window.stride_h - g.window.pad_top + i * g.window.dilation_h;
    if (row < 0 || row >= g.in_h) continue;
    for (int64_t j = 0; j < g.window.kernel_w; ++j) {
      const int64_t column = x * g.window.stride_w - g.window.pad_left + j * g.window.dilation_w;
      if (column >= 0 && column < g.in_w) each((plane * g.in_h + row) * g.in_w + column);
    }
  }
}

// each(plane, y, x, output index); planes in parallel.
template <class Each>
void ForOutputs(const Geometry& g, const Each& each) {
  ForRows(g.planes, g.in_h * g.in_w, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      for (int64_t y = 0; y < g.out_h; ++y)
        for (int64_t x = 0; x < g.out_w; ++x) each(p, y, x, (p * g.out_h + y) * g.out_w + x);
  });
}

// Zeroed if it is the first: pooling adds to single elements.
float* ZeroedSink(Tape* tape, Var x) {
  const Tape::Sink sink = tape->GradientSink(x);
  if (!sink.adds) Fill(sink.data, tape->count(x), [](int64_t) { return 0.0f; });
  return sink.data;
}

// What an average divides by. Padding counts up to the padded image's edge, as in ONNX.
int64_t Divisor(const Geometry& g, bool count_include_pad, int64_t taps, int64_t y, int64_t x) {
  if (!count_include_pad) return std::max<int64_t>(1, taps);
  const Window& w = g.window;
  const auto inside = [](int64_t start, int64_t kernel, int64_t dilation, int64_t end) {
    int64_t count = 0;
    for (int64_t i = 0; i < kernel; ++i) count += start + i * dilation < end;
    return count;
  };
  return inside(y * w.stride_h - w.pad_top, w.kernel_h, w.dilation_h, g.in_h + w.pad_bottom) *
         inside(x * w.stride_w - w.pad_left, w.kernel_w, w.dilation_w, g.in_w + w.pad_right);
}

}  // namespace

Var MaxPool(Tape* tape, Var x, const Window& window) {
  const Geometry geometry = GeometryOf(tape->shape(x), window);
  const Var out = tape->Make({tape->shape(x)[0], tape->shape(x)[1], geometry.out_h, geometry.out_w}, {x});
  const float* in = tape->value(x);
  float* result = tape->MutableValue(out);
  ForOutputs(geometry, [=, &geometry](int64_t p, int64_t y, int64_t column, int64_t o) {
    float best = -std::numeric_limits<float>::infinity();
    ForTaps(geometry, p, y, column, [&](int64_t i) { best = std::max(best, in[i]); });
    result[o] = best;
  });
  tape->OnBackward(out, [=] {
    if (!tape->needs_gradient(x)) return;
    const float *g = tape->gradient(out), *largest = tape->value(out);
    float* sink = ZeroedSink(tape, x);
    ForOutputs(geometry, [=, &geometry](int64_t p, int64_t y, int64_t column, int64_t o) {
      int64_t winner = -1;  // the first of equals
      ForTaps(geometry, p, y, column, [&](int64_t i) { winner = winner < 0 && in[i] == largest[o] ? i : winner; });
      if (winner >= 0) sink[winner] += g[o];
    });
  });
  return out;
}

Var AveragePool(Tape* tape, Var x, const Window& window, bool count_include_pad) {
  const Geometry geometry = GeometryOf(tape->shape(x), window);
  const Var out = tape->Make({tape->shape(x)[0], tape->shape(x)[1], geometry.out_h, geometry.out_w}, {x});
  const float* in = tape->value(x);
  float* result = tape->MutableValue(out);
  ForOutputs(geometry, [=, &geometry](int64_t p, int64_t y, int64_t column, int64_t o) {
    float sum = 0;
    int64_t taps = 0;
    ForTaps(geometry, p, y, column, [&](int64_t i) { sum += in[i], ++taps; });
    result[o] = sum / static_cast<float>(Divisor(geometry, count_include_pad, taps, y, column));
  });
  tape->OnBackward(out, [=] {
    if (!tape->needs_gradient(x)) return;
    const float* g = tape->gradient(out);
    float* sink = ZeroedSink(tape, x);
    ForOutputs(geometry, [=, &geometry](int64_t p, int64_t y, int64_t column, int64_t o) {
      int64_t taps = 0;
      ForTaps(geometry, p, y, column, [&](int64_t) { ++taps; });
      const float share = g[o] / static_cast<float>(Divisor(geometry, count_include_pad, taps, y, column));
      ForTaps(geometry, p, y, column, [&](int64_t i) { sink[i] += share; });
    });
  });
  return out;
}

}  // namespace aq::converter::training
