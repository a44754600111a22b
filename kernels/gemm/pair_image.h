// SPDX-License-Identifier: Apache-2.0
// Activations for look-up tiles: the convolution driver rewrites the part of the image that a range of output rows
// needs as pairs of codes, pixel by pixel, each followed by its sum. Nine taps then share one pixel's work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/gemm/convolve.h"

namespace aq {

inline constexpr size_t kPairBlock = 4;  // channels are padded to this: the two pairs of a packed byte of weights

// How an image is cut: `out_rows` rows of output need at most `in_rows` rows of pairs. Pixels that no window touches
// are left out where that is simple (kernel of one, no padding): the step is then the stride.
struct PairStrips {
  explicit PairStrips(const ConvGeometry& geometry);
  size_t bytes() const { return static_cast<size_t>(in_rows) * in_w * pixel_bytes; }

  int step_h, step_w;  // between the pixels kept
  int in_h;            // rows kept of the whole image
  size_t in_w;         // and pixels of a row
  size_t pairs;        // bytes of a pixel: this many, then its sum in 16 bits
  size_t pixel_bytes;
  int out_rows, in_rows;
};

// Pixels `stride` bytes apart -> pixels of pairs side by side. Missing channels are 0. Codes are at most 3.
struct PairPixels {
  const uint8_t* codes;
  size_t stride, count, channels, pairs;
  uint8_t* pixels;
};
using PackPairsFn = void (*)(const PairPixels& pixels);
PackPairsFn FindPackPairs(Isa isa);  // of a look-up tile (pack_pairs.inc)

// Writes what output rows [begin, end) need to `image` (strips.bytes()) and returns the geometry of a convolution over
// it whose output pixels are still numbered from the first row of all: channels are bytes of a packed pixel.
ConvGeometry PackPairStrip(const ConvGeometry& geometry, const PairStrips& strips, PackPairsFn pack,
                           const uint8_t* input, int begin, int end, uint8_t* image);
inline int32_t SumOfPixel(const uint8_t* pixel, size_t pairs) {
  uint16_t sum;
  std::memcpy(&sum, pixel + pairs, sizeof(sum));
  return sum;
}

}  // namespace aq
