// SPDX-License-Identifier: Apache-2.0
// See convolve.h. Loops, outermost first: blocks of output pixels (their rows found once), groups, panels of output
// channels (decoded once per block), tiles.
#include "kernels/gemm/convolve.h"

#include <algorithm>
#include <cstring>

#include "kernels/gemm/gather.h"
#include "kernels/gemm/pack.h"
#include "kernels/gemm/window.h"

namespace aq {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kBlockRows = 96;
constexpr size_t kGatheredBytes = 256 * 1024;  // at most, so that they stay in the second-level cache

size_t AlignUp(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// One convolution and the sizes that follow from it.
struct Job {
  explicit Job(const Convolution& c)
      : convolution(c),
        groups(static_cast<size_t>(c.geometry.groups)),
        k(static_cast<size_t>(c.geometry.in_c) / groups),
        n(static_cast<size_t>(c.geometry.out_c) / groups),
        mr(static_cast<size_t>(c.kernel->mr)),
        nr(static_cast<size_t>(c.kernel->nr)),
        block_rows(BlockTiles(*c.kernel, Taps(c.geometry), k) * mr),
        activation_bytes(c.kernel->weight_bits == 16 ? 2 : 1),
        layout(LayoutOf(*c.kernel, c.weight_bits, Taps(c.geometry), k)),
        row_bytes(layout.k_padded * activation_bytes) {}

  const Convolution& convolution;
  size_t groups, k, n, mr, nr, block_rows, activation_bytes;
  PanelLayout layout;
  size_t row_bytes;  // of a gathered row
};

// What one thread needs, laid out in its scratch memory.
struct Scratch {
  const uint8_t** rows = nullptr;  // [tiles][taps][mr]
  int32_t* row_sums = nullptr;     // [block_rows]
  uint8_t* gathered = nullptr;     // [block_rows][k_padded], 8 or 16 bits each
  uint8_t* decoded = nullptr;      // one panel
  size_t bytes = 0;

  Scratch(const Job& job, void* memory) {
    const auto take = [&](size_t size) {
      uint8_t* taken = static_cast<uint8_t*>(memory) + bytes;
      bytes += AlignUp(size);
      return taken;
    };
    const Convolution& c = job.convolution;
    rows = reinterpret_cast<const uint8_t**>(take(job.block_rows * job.layout.taps * sizeof(void*)));
    row_sums = reinterpret_cast<int32_t*>(take(c.weight_zero_points != nullptr ? job.block_rows * sizeof(int32_t) : 0));
    gathered = take(job.layout.gathers ? job.block_rows * job.row_bytes : 0);
    decoded = take(c.decoder != nullptr ? job.layout.decoded_bytes(c.kernel->weight_bits) : 0);
  }
};

// Rows of a block for one group: pointers into the image, or gathered.
void FindRows(const Job& job, const uint8_t* input, size_t m_begin, size_t count, size_t group, const Scratch& s) {
  const Convolution& c = job.convolution;
  const size_t mr = job.mr, taps = job.layout.taps;
  if (job.layout.gathers) {
    const uint8_t zero = static_cast<uint8_t>(-c.kernel->activation_flip);
    GatherRows(c.geometry, input, c.pad_row, m_begin, count, group * job.k, zero, job.row_bytes, s.gathered);
    for (size_t i = 0; job.activation_bytes == 2 && i < count; ++i) {
      WidenRow(s.gathered + i * job.row_bytes, job.layout.k_padded);
    }
    for (size_t i = 0; i < count; ++i) s.rows[i] = s.gathered + i * job.row_bytes;
  } else if (group == 0) {
    FindTaps(c.geometry, input, c.pad_row, m_begin, count, mr, s.rows);
  } else {
    for (size_t i = 0; i < (count + mr - 1) / mr * mr * taps; ++i) s.rows[i] += job.k;
    return;
  }
  // A short tile computes its last row again and does not store it.
  const size_t rest = count % mr;
  const uint8_t** last = s.rows + count / mr * mr * taps;
  for (size_t tap = 0; rest != 0 && tap < taps; ++tap, last += mr) {
    for (size_t i = rest; i < mr; ++i) last[i] = last[rest - 1];
  }
}

void SumRows(const Job& job, size_t count, const Scratch& s) {
  for (size_t i = 0; i < count; ++i) {
    int32_t sum = 0;
    const uint8_t* const* rows = s.rows + i / job.mr * job.mr * job.layout.taps + i % job.mr;
    for (size_t tap = 0; tap < job.layout.taps; ++tap, rows += job.mr) sum += SumOfBytes(*rows, job.layout.k);
    s.row_sums[i] = sum;
  }
}

size_t OutputBytes(const Requantize& rq) { return rq.is_wide ? sizeof(int32_t) : 1; }

}  // namespace

size_t BlockTiles(const GemmKernel& kernel, size_t taps, size_t k) {
  const size_t row_bytes = taps * k * (kernel.weight_bits == 16 ? 2 : 1);
  const size_t rows = kernel.weight_bits == 16 ? std::min(kBlockRows, kGatheredBytes / row_bytes) : kBlockRows;
  return std::max<size_t>(1, rows / static_cast<size_t>(kernel.mr));
}

size_t ConvolveScratchBytes(const Convolution& convolution) { return Scratch(Job(convolution), nullptr).bytes; }

void Convolve(const Convolution& c, const uint8_t* input, const uint8_t* residual, void* const* out, size_t m_begin,
              size_t m_end, void* memory) {
  const Job job(c);
  const Scratch scratch(job, memory);
  const PanelLayout& layout = job.layout;
  const size_t out_c = static_cast<size_t>(c.geometry.out_c), n_padded = PackedColumns(*c.kernel, job.n);
  const size_t kr = static_cast<size_t>(c.kernel->kr);
  GemmTile tile{.taps = layout.taps,
                .k_padded = layout.k_padded,
                .codebook = c.codebook,
                .widen_steps = c.widen_steps,
                .requantize = c.requantize,
                .outputs = c.outputs,
                .stride = out_c};
  for (size_t block = m_begin; block < m_end; block += job.block_rows) {
    const size_t rows = std::min(job.block_rows, m_end - block);
    for (size_t group = 0; group < job.groups; ++group) {
      FindRows(job, input, block, rows, group, scratch);
      if (c.weight_zero_points != nullptr) SumRows(job, rows, scratch);
      const uint8_t* packed = c.packed + group * c.packed_group_bytes;
      for (size_t column = 0; column < job.n; column += job.nr, packed += layout.packed_bytes()) {
        const size_t packed_column = group * n_padded + column;
        tile.weights = packed;
        if (c.decoder != nullptr) {
          c.decoder->run(
              {packed, layout.blocks, layout.step_bytes, c.codebook, c.decode_zero_points + packed_column * kr},
              scratch.decoded);
          tile.weights = scratch.decoded;
        }
        tile.bias = c.bias + packed_column;
        if (c.weight_zero_points != nullptr) tile.weight_zero_points = c.weight_zero_points + packed_column;
        tile.column = group * job.n + column;
        tile.columns = std::min(job.nr, job.n - column);
        for (size_t i = 0; i < rows; i += job.mr) {
          const size_t position = (block + i) * out_c + tile.column;
          tile.rows = scratch.rows + i * layout.taps;
          tile.row_sums = scratch.row_sums + i;
          tile.m = static_cast<int>(std::min(job.mr, rows - i));
          if (residual != nullptr) tile.residual = residual + position;
          for (int o = 0; o < c.outputs; ++o) {
            tile.out[o] = static_cast<uint8_t*>(out[o]) + position * OutputBytes(c.requantize[o]);
          }
          c.kernel->run(tile);
        }
      }
    }
  }
}

}  // namespace aq
