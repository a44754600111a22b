// SPDX-License-Identifier: Apache-2.0
// See convolve.h. Per tile of mr output pixels: gather row pointers once, then run every panel of every group on them.
#include "kernels/gemm/convolve.h"

#include <algorithm>

#include "kernels/gemm/pack.h"
#include "kernels/gemm/window.h"

namespace aq {
namespace {

// What one thread needs, laid out in its scratch memory; pointers first, so everything stays aligned.
struct Scratch {
  const uint8_t** rows;      // [taps][mr]
  const uint8_t** residual;  // [mr]
  void** out;                // [outputs][mr]
  int32_t* row_sums;         // [mr]
};

size_t PointerCount(const Convolution& c) {
  return (Taps(c.geometry) + 1 + static_cast<size_t>(c.outputs)) * static_cast<size_t>(c.kernel->mr);
}

Scratch Divide(const Convolution& c, void* memory) {
  const size_t mr = static_cast<size_t>(c.kernel->mr), row_pointers = (Taps(c.geometry) + 1) * mr;
  uint8_t* bytes = static_cast<uint8_t*>(memory);
  void* out = bytes + row_pointers * sizeof(void*);
  void* sums = bytes + PointerCount(c) * sizeof(void*);
  const uint8_t** rows = static_cast<const uint8_t**>(memory);
  return {rows, rows + row_pointers - mr, static_cast<void**>(out), static_cast<int32_t*>(sums)};
}

size_t OutputBytes(const Requantize& rq) { return rq.is_wide ? sizeof(int32_t) : 1; }

void SumRows(const uint8_t* const* rows, size_t taps, size_t mr, size_t k, int32_t* sums) {
  for (size_t i = 0; i < mr; ++i) {
    int32_t sum = 0;
    for (size_t tap = 0; tap < taps; ++tap) {
      const uint8_t* row = rows[tap * mr + i];
      for (size_t kk = 0; kk < k; ++kk) sum += row[kk];
    }
    sums[i] = sum;
  }
}

}  // namespace

size_t ConvolveScratchBytes(const Convolution& convolution) {
  return PointerCount(convolution) * sizeof(void*) + static_cast<size_t>(convolution.kernel->mr) * sizeof(int32_t);
}

void Convolve(const Convolution& convolution, const uint8_t* input, const uint8_t* residual, void* const* out,
              size_t m_begin, size_t m_end, void* memory) {
  const ConvGeometry& g = convolution.geometry;
  const GemmKernel& kernel = *convolution.kernel;
  const Scratch scratch = Divide(convolution, memory);
  const size_t mr = static_cast<size_t>(kernel.mr), nr = static_cast<size_t>(kernel.nr), taps = Taps(g);
  const size_t groups = static_cast<size_t>(g.groups), out_c = static_cast<size_t>(g.out_c);
  const size_t k = static_cast<size_t>(g.in_c) / groups, n = out_c / groups;
  const size_t k_padded = PackedK(kernel, k), n_padded = PackedColumns(kernel, n);
  const size_t panel_bytes = taps * k_padded * nr * static_cast<size_t>(kernel.weight_bits) / 8;

  GemmTile tile{.rows = scratch.rows,
                .taps = taps,
                .k_padded = k_padded,
                .codebook = convolution.codebook,
                .row_sums = scratch.row_sums,
                .requantize = convolution.requantize,
                .outputs = convolution.outputs,
                .residual = residual != nullptr ? scratch.residual : nullptr,
                .out = scratch.out};
  for (size_t m = m_begin; m < m_end; m += mr) {
    const size_t rows = std::min(mr, m_end - m);
    tile.m = static_cast<int>(rows);
    for (size_t i = 0; i < mr; ++i) {
      if (i >= rows) {  // a short tile computes its last row again and does not store it
        for (size_t tap = 0; tap < taps; ++tap) scratch.rows[tap * mr + i] = scratch.rows[tap * mr + rows - 1];
        continue;
      }
      ForEachTap(g, input, m + i, [&](size_t tap, const uint8_t* pixel) {
        scratch.rows[tap * mr + i] = pixel != nullptr ? pixel : convolution.pad_row;
      });
    }
    for (size_t group = 0; group < groups; ++group) {
      if (convolution.weight_zero_points != nullptr) SumRows(scratch.rows, taps, mr, k, scratch.row_sums);
      for (size_t column = 0; column < n; column += nr) {
        const size_t first = group * n + column, packed_column = group * n_padded + column;
        tile.weights = convolution.packed + group * convolution.packed_group_bytes + column / nr * panel_bytes;
        tile.bias = convolution.bias + packed_column;
        tile.weight_zero_points =
            convolution.weight_zero_points != nullptr ? convolution.weight_zero_points + packed_column : nullptr;
        tile.column = first;
        tile.columns = std::min(nr, n - column);
        for (size_t i = 0; i < rows; ++i) {
          const size_t position = (m + i) * out_c + first;
          if (residual != nullptr) scratch.residual[i] = residual + position;
          for (size_t o = 0; o < static_cast<size_t>(convolution.outputs); ++o) {
            scratch.out[o * mr + i] = static_cast<uint8_t*>(out[o]) + position * OutputBytes(convolution.requantize[o]);
          }
        }
        kernel.run(tile);
      }
      if (group + 1 == groups) break;
      for (size_t i = 0; i < taps * mr; ++i) scratch.rows[i] += k;
    }
  }
}

}  // namespace aq
