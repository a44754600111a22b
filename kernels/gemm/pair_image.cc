// SPDX-License-Identifier: Apache-2.0
// See pair_image.h.
#include "kernels/gemm/pair_image.h"

#include <algorithm>

namespace aq {

#define AQ_PACK_PAIRS(isa, Enum, Struct) void pack_pairs_##isa(const PairPixels&);
#include "kernels/gemm/pack_pairs.inc"
#undef AQ_PACK_PAIRS

namespace {

constexpr size_t kStripBytes = 256 * 1024;  // at most, so that a strip stays in the second-level cache

int DivideUp(int a, int b) { return (a + b - 1) / b; }
int Reach(int kernel, int dilation) { return dilation * (kernel - 1) + 1; }
int StepOf(int kernel, int pad, int stride) { return kernel == 1 && pad == 0 ? stride : 1; }

struct PackPairs {
  Isa isa;
  PackPairsFn run;
};
constexpr PackPairs kPackPairs[] = {
#define AQ_PACK_PAIRS(isa, Enum, Struct) {Isa::Enum, pack_pairs_##isa},
#include "kernels/gemm/pack_pairs.inc"
#undef AQ_PACK_PAIRS
};

}  // namespace

PairStrips::PairStrips(const ConvGeometry& g)
    : step_h(StepOf(g.kernel_h, g.pad_top, g.stride_h)), step_w(StepOf(g.kernel_w, g.pad_left, g.stride_w)) {
  in_h = DivideUp(g.in_h, step_h);
  in_w = static_cast<size_t>(DivideUp(g.in_w, step_w));
  pairs = (static_cast<size_t>(g.in_c) + kPairBlock - 1) / kPairBlock * kPairBlock / 2;
  pixel_bytes = pairs + sizeof(uint16_t);
  const int stride = g.stride_h / step_h, reach = Reach(g.kernel_h, g.dilation_h);
  const int fitting = static_cast<int>(std::min(kStripBytes / (in_w * pixel_bytes), static_cast<size_t>(in_h)));
  out_rows = fitting == in_h ? g.out_h : std::clamp((fitting - reach) / stride + 1, 1, g.out_h);
  in_rows = std::min(in_h, (out_rows - 1) * stride + reach);
}

PackPairsFn FindPackPairs(Isa isa) {
  for (const PackPairs& row : kPackPairs) {
    if (row.isa == isa) return row.run;
  }
  return nullptr;
}

ConvGeometry PackPairStrip(const ConvGeometry& g, const PairStrips& strips, PackPairsFn pack, const uint8_t* input,
                           int begin, int end, uint8_t* image) {
  ConvGeometry strip = g;
  strip.stride_h = g.stride_h / strips.step_h;
  strip.stride_w = g.stride_w / strips.step_w;
  const int first = std::clamp(begin * strip.stride_h - g.pad_top, 0, strips.in_h);
  const int last = (end - 1) * strip.stride_h - g.pad_top + Reach(g.kernel_h, g.dilation_h);
  strip.in_h = std::clamp(last, first, strips.in_h) - first;
  strip.in_w = static_cast<int>(strips.in_w);
  strip.in_c = static_cast<int>(strips.pixel_bytes);
  strip.pad_top = g.pad_top + first;
  const size_t channels = static_cast<size_t>(g.in_c), row_bytes = static_cast<size_t>(g.in_w) * channels;
  for (int y = 0; y < strip.in_h; ++y, image += strips.in_w * strips.pixel_bytes) {
    pack({.codes = input + static_cast<size_t>((first + y) * strips.step_h) * row_bytes,
          .stride = static_cast<size_t>(strips.step_w) * channels,
          .count = strips.in_w,
          .channels = channels,
          .pairs = strips.pairs,
          .pixels = image});
  }
  return strip;
}

}  // namespace aq
