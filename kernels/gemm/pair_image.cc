// SPDX-License-Identifier: Apache-2.0
// See pair_image.h. Baseline code: about a hundredth of a 3x3 layer's time.
#include "kernels/gemm/pair_image.h"

#include <algorithm>
#include <cstring>

#include "kernels/gemm/gather.h"

namespace aq {
namespace {

constexpr size_t kChannelStep = 4;          // a tile's block: two pairs
constexpr size_t kStripBytes = 256 * 1024;  // at most, so that a strip stays in the second-level cache

int DivideUp(int a, int b) { return (a + b - 1) / b; }
int Reach(int kernel, int dilation) { return dilation * (kernel - 1) + 1; }
int StepOf(int kernel, int pad, int stride) { return kernel == 1 && pad == 0 ? stride : 1; }

}  // namespace

PairStrips::PairStrips(const ConvGeometry& g)
    : step_h(StepOf(g.kernel_h, g.pad_top, g.stride_h)), step_w(StepOf(g.kernel_w, g.pad_left, g.stride_w)) {
  in_h = DivideUp(g.in_h, step_h);
  in_w = static_cast<size_t>(DivideUp(g.in_w, step_w));
  pairs = (static_cast<size_t>(g.in_c) + kChannelStep - 1) / kChannelStep * kChannelStep / 2;
  pixel_bytes = pairs + sizeof(uint16_t);
  const int stride = g.stride_h / step_h, reach = Reach(g.kernel_h, g.dilation_h);
  const int fitting = static_cast<int>(std::min(kStripBytes / (in_w * pixel_bytes), static_cast<size_t>(in_h)));
  out_rows = fitting == in_h ? g.out_h : std::clamp((fitting - reach) / stride + 1, 1, g.out_h);
  in_rows = std::min(in_h, (out_rows - 1) * stride + reach);
}

void PackPairs(const uint8_t* codes, size_t channels, const PairStrips& strips, uint8_t* pixel) {
  const size_t whole = channels / 2;
  for (size_t i = 0; i < whole; ++i) pixel[i] = static_cast<uint8_t>(codes[2 * i] << 4 | codes[2 * i + 1] << 6);
  for (size_t i = whole; i < strips.pairs; ++i) pixel[i] = 0;
  if (channels % 2 != 0) pixel[whole] = static_cast<uint8_t>(codes[channels - 1] << 4);
  const uint16_t sum = static_cast<uint16_t>(SumOfBytes(codes, channels));
  std::memcpy(pixel + strips.pairs, &sum, sizeof(sum));
}

int32_t SumOfPixel(const uint8_t* pixel, size_t pairs) {
  uint16_t sum;
  std::memcpy(&sum, pixel + pairs, sizeof(sum));
  return sum;
}

ConvGeometry PackPairStrip(const ConvGeometry& g, const PairStrips& strips, const uint8_t* input, int begin, int end,
                           uint8_t* image) {
  ConvGeometry strip = g;
  strip.stride_h = g.stride_h / strips.step_h;
  strip.stride_w = g.stride_w / strips.step_w;
  const int first = std::clamp(begin * strip.stride_h - g.pad_top, 0, strips.in_h);
  const int last = (end - 1) * strip.stride_h - g.pad_top + Reach(g.kernel_h, g.dilation_h);
  strip.in_h = std::clamp(last, first, strips.in_h) - first;
  strip.in_w = static_cast<int>(strips.in_w);
  strip.in_c = static_cast<int>(strips.pixel_bytes);
  strip.pad_top = g.pad_top + first;
  const size_t channels = static_cast<size_t>(g.in_c), step = static_cast<size_t>(strips.step_w) * channels;
  for (int y = 0; y < strip.in_h; ++y) {
    const uint8_t* pixel =
        input + static_cast<size_t>((first + y) * strips.step_h) * static_cast<size_t>(g.in_w) * channels;
    for (size_t x = 0; x < strips.in_w; ++x, pixel += step, image += strips.pixel_bytes) {
      PackPairs(pixel, channels, strips, image);
    }
  }
  return strip;
}

}  // namespace aq
