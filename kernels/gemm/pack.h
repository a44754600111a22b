// SPDX-License-Identifier: Apache-2.0
// The one weight packer: from the file's codes ([n][tap][k], dense) to panels of nr columns for one kernel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace aq {

// Weights of one group as the file stores them: code number ((first_n + n) * taps + tap) * k + kk.
struct WeightSource {
  const uint8_t* codes = nullptr;
  int bits = 8;
  const int8_t* codebook = nullptr;     // [2^bits], null = two's complement
  const int8_t* zero_points = nullptr;  // [all groups' n], null = 0
  size_t first_n = 0;
  size_t n = 0, taps = 1, k = 0;
  size_t lines = 1;         // LinesOf (image_lines.h): how many runs of memory the taps are
  bool whole_taps = false;  // pack every tap's weights as whole bytes, for kernels/winograd
};

// How the taps and input channels of a layer become the steps of a tile. Where a tap's channels do not fill the
// kernel's blocks, or it wants 16-bit activations, a tap is a whole line of the window in copied lines of the image
// (`reads_lines`); where lines do not work, the driver copies all taps of a window into one padded row (`gathers`).
struct PanelLayout {
  size_t taps = 1, k = 0, k_padded = 0;  // as the tile sees them: one tap when gathered
  bool gathers = false;
  bool reads_lines = false;
  int bits = 8;           // of a packed field: the file's
  size_t steps = 0;       // of kr, all taps
  size_t blocks = 0;      // of 8 / bits steps: the packed panel
  size_t step_bytes = 0;  // nr * kr
  size_t packed_bytes() const { return blocks * step_bytes; }
  // What a decoder writes.
  size_t decoded_bytes(int weight_bits) const {
    return blocks * size_t(8 / bits) * step_bytes * size_t(weight_bits) / 8;
  }
};
PanelLayout LayoutOf(const GemmKernel& kernel, int bits, size_t taps, size_t k, size_t lines = 1,
                     bool whole_taps = false);

size_t PackedColumns(const GemmKernel& kernel, size_t n);  // n rounded up to nr
// Bytes of all panels of one group.
size_t PackedBytes(const GemmKernel& kernel, const WeightSource& source);
// Panels of nr columns: blocks of step_bytes bytes, [nr][kr] each (neondot.h, Avx2Pairs: in their own order); plane p
// of a byte, in bits [p * bits, (p + 1) * bits), is step block * planes + p. Fields beyond the last k hold code 0: the
// activations there cancel out.
void PackWeights(const WeightSource& source, const GemmKernel& kernel, uint8_t* packed);
// bias (null = 0) of the group's n columns -> [PackedColumns], zero beyond n; undoes the kernel's activation flip. The
// source has zero points only if a decoder subtracts them.
void PackBias(const WeightSource& source, const GemmKernel& kernel, const int32_t* bias, int32_t* packed);
// The zero points for PanelSource: [PackedColumns * kr], 0 beyond n.
void PackZeroPoints(const WeightSource& source, const GemmKernel& kernel, int8_t* packed);
// The 16 entries a tile's byte shuffle wants: the codebook (or two's complement) repeated to 16.
void ExpandCodebook(int bits, const int8_t* codebook, int8_t expanded[16]);

// How many consecutive steps of 4 may be summed in int16 whatever the activations in [0, max_code]: the most for which
// no sum of products of adjacent pairs (kernels/isa/scalar.h) can leave int16, for these very weights less their zero
// points. 0 if one pair can leave it alone.
size_t CountWidenSteps(const WeightSource& source, int32_t max_code);
// The same for a kernel, from the largest magnitude of a weight alone.
size_t CountWidenSteps(const GemmKernel& kernel, int32_t max_weight, int32_t max_code);

}  // namespace aq
