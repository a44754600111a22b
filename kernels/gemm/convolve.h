// SPDX-License-Identifier: Apache-2.0
// The one convolution driver: gathers row pointers for a block of output pixels, decodes a panel of weights once for
// the block, calls GEMM tiles. Dense layers are 1x1 convolutions of a 1x1 image. Grouped convolutions run group by
// group. Reads and writes channels-last codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace aq {

struct ConvGeometry {
  int in_h = 1, in_w = 1, in_c = 1;
  int out_h = 1, out_w = 1, out_c = 1;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0;  // bottom and right follow from the output size
  int groups = 1;
};

struct Convolution {
  ConvGeometry geometry;
  const GemmKernel* kernel = nullptr;
  const PanelDecoder* decoder = nullptr;  // null: tiles read `packed` as it is
  size_t widen_steps = 1;
  size_t lines = 1;                 // WeightSource::lines
  int weight_bits = 8;              // of the packed codes
  const uint8_t* packed = nullptr;  // [groups] PackedBytes each (packed_group_bytes apart)
  size_t packed_group_bytes = 0;
  int8_t codebook[16] = {};
  const PairTable* pairs = nullptr;  // of look-up tiles
  const int32_t* bias = nullptr;     // [groups][PackedColumns]; includes the kernel's activation flip
  // [groups][PackedColumns] or null; for tiles without a decoder, and less the pairs' centre for look-up tiles
  const int32_t* weight_zero_points = nullptr;
  const int8_t* decode_zero_points = nullptr;  // [groups][PackedColumns * kr] (PackZeroPoints); with other decoders
  const Requantize* requantize = nullptr;      // [outputs], indexed by output channel
  int outputs = 1;
  const uint8_t* pad_row = nullptr;  // [in_c + kReadSlack] codes of one padding pixel
  bool pads_with_zero = false;       // which are all 0
};

// Tiles that share one decoded panel, of the tiles for m output pixels.
size_t BlockTiles(const GemmKernel& kernel, size_t m, size_t taps, size_t k);
// Bytes of scratch one thread needs (row pointers and sums, gathered rows, a decoded panel, a strip of pairs).
size_t ConvolveScratchBytes(const Convolution& convolution);
// Any split gives the same bits. Outputs overlap neither the input nor the residual.
//   input [in_h][in_w][in_c] + kReadSlack; residual null or [out_h][out_w][out_c]; out[o] [out_h][out_w][out_c]
//   scratch aligned to 64 bytes
// The part of a convolution to compute: output pixels, and panels of the kernel's nr output channels. Cutting panels
// rather than pixels lets threads share few pixels without each decoding all weights. One group, or all panels.
struct ConvolveRange {
  size_t m_begin = 0, m_end = 0;
  size_t panel_begin = 0, panel_end = SIZE_MAX;
};
void ConvolvePart(const Convolution& convolution, const uint8_t* input, const uint8_t* residual, void* const* out,
                  const ConvolveRange& range, void* scratch);
// All panels.
void Convolve(const Convolution& convolution, const uint8_t* input, const uint8_t* residual, void* const* out,
              size_t m_begin, size_t m_end, void* scratch);

}  // namespace aq
