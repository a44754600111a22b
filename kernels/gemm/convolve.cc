// SPDX-License-Identifier: Apache-2.0
// See convolve.h. Loops, outermost first: blocks of output pixels (their rows found once), groups, panels of output
// channels (decoded once per block), tiles. Outside of all, for look-up tiles: strips of the image, rewritten as pairs.
#include "kernels/gemm/convolve.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/gemm/gather.h"
#include "kernels/gemm/image_lines.h"
#include "kernels/gemm/pack.h"
#include "kernels/gemm/pair_image.h"
#include "kernels/gemm/window.h"
#include "kernels/scratch.h"

namespace aq {
namespace {

constexpr size_t kBlockRows = 192;
constexpr size_t kGatheredBytes = 256 * 1024;  // at most, so that they stay in the second-level cache

// One convolution and the sizes that follow from it.
struct Job {
  explicit Job(const Convolution& c)
      : convolution(c),
        geometry(c.geometry),
        pad_row(c.pad_row),
        groups(static_cast<size_t>(c.geometry.groups)),
        k(static_cast<size_t>(c.geometry.in_c) / groups),
        n(static_cast<size_t>(c.geometry.out_c) / groups),
        mr(static_cast<size_t>(c.kernel->mr)),
        nr(static_cast<size_t>(c.kernel->nr)),
        block_rows(BlockTiles(*c.kernel, static_cast<size_t>(c.geometry.out_h) * static_cast<size_t>(c.geometry.out_w),
                              Taps(c.geometry), k) *
                   mr),
        layout(LayoutOf(*c.kernel, c.weight_bits, Taps(c.geometry), k, c.lines)),
        tap_bytes(layout.k_padded * nr * static_cast<size_t>(c.kernel->weight_bits) / 8),
        pads_with_zero(c.pads_with_zero && c.kernel->activation_flip == 0) {}

  const Convolution& convolution;
  ConvGeometry geometry;  // of the image that tiles read, and its padding pixel
  const uint8_t* pad_row;
  size_t groups, k, n, mr, nr, block_rows;
  PanelLayout layout;
  size_t tap_bytes;     // of a panel as tiles read it
  bool pads_with_zero;  // padding adds nothing to the sums

  Gather GatherOf(const uint8_t* input, size_t group) const {
    return {.geometry = convolution.geometry,
            .input = input,
            .pad_row = convolution.pad_row,
            .first_c = group * k,
            .zero = static_cast<uint8_t>(-convolution.kernel->activation_flip),
            .k_padded = layout.k_padded,
            .widens = convolution.kernel->weight_bits == 16};
  }
  ImageLines LinesOfBlock() const { return {geometry, block_rows, convolution.kernel->weight_bits == 16}; }
};

// Rows [begin, end) of a block, in one call of the tile: they multiply the same taps.
struct TileRun {
  size_t begin, end;
  size_t first_tap, taps;
};

// What one thread needs, laid out in its scratch memory.
struct Scratch {
  const uint8_t** rows = nullptr;  // [tiles][taps][mr]
  TileRun* runs = nullptr;         // [tiles] at most
  int32_t* row_sums = nullptr;     // [block_rows]
  uint8_t* gathered = nullptr;     // [block_rows][k_padded], 8 or 16 bits each; or lines
  uint8_t* decoded = nullptr;      // one panel
  size_t bytes = 0;

  Scratch(const Job& job, void* memory) {
    ScratchLayout layout(memory);
    const Convolution& c = job.convolution;
    rows = layout.Take<const uint8_t*>(job.block_rows * job.layout.taps);
    runs = layout.Take<TileRun>(job.block_rows / job.mr);
    row_sums = layout.Take<int32_t>(c.weight_zero_points != nullptr ? job.block_rows : 0);
    gathered = layout.Take<uint8_t>(job.layout.reads_lines ? job.LinesOfBlock().bytes()
                                    : job.layout.gathers
                                        ? job.block_rows * GatheredRowBytes(job.GatherOf(nullptr, 0)) + kGatherSlack
                                        : 0);
    decoded = layout.Take<uint8_t>(c.decoder != nullptr ? job.layout.decoded_bytes(c.kernel->weight_bits) : 0);
    bytes = layout.bytes();
  }
};

// Rows of a block for one group: pointers into the image, or gathered.
void FindRows(const Job& job, const uint8_t* input, size_t m_begin, size_t count, size_t group, const Scratch& s) {
  const size_t mr = job.mr, taps = job.layout.taps;
  if (job.layout.reads_lines) {
    FindRuns(job.geometry, job.LinesOfBlock(), input, job.pad_row, m_begin, count, mr, s.gathered, s.rows);
  } else if (job.layout.gathers) {
    const Gather gather = job.GatherOf(input, group);
    GatherRows(gather, m_begin, count, s.gathered);
    for (size_t i = 0; i < count; ++i) s.rows[i] = s.gathered + i * GatheredRowBytes(gather);
  } else if (group == 0) {
    FindTaps(job.geometry, input, job.pad_row, m_begin, count, mr, s.rows);
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

// The taps of output pixels [first, last]: without the window's lines that are padding for all of them.
void FindUsedTaps(const Job& job, size_t first, size_t last, TileRun* run) {
  const ConvGeometry& g = job.convolution.geometry;
  run->first_tap = 0;
  run->taps = job.layout.taps;
  const size_t lines = static_cast<size_t>(g.kernel_h);
  if (!job.pads_with_zero || job.layout.taps % lines != 0) return;
  // How many lines of a pixel's window lie above line y of the image.
  const auto lines_above = [&](int y, size_t pixel) {
    const int top = static_cast<int>(pixel) / g.out_w * g.stride_h - g.pad_top;
    return static_cast<size_t>(std::clamp((y - top + g.dilation_h - 1) / g.dilation_h, 0, g.kernel_h));
  };
  const size_t begin = lines_above(0, last), end = lines_above(g.in_h, first);
  if (begin >= end) return;
  run->first_tap = begin * (job.layout.taps / lines);
  run->taps = (end - begin) * (job.layout.taps / lines);
}

// Returns the number of runs.
size_t FindTileRuns(const Job& job, size_t m_begin, size_t rows, TileRun* runs) {
  size_t count = 0;
  for (size_t i = 0; i < rows; i += job.mr) {
    TileRun tile{.begin = i, .end = std::min(i + job.mr, rows), .first_tap = 0, .taps = 0};
    FindUsedTaps(job, m_begin + tile.begin, m_begin + tile.end - 1, &tile);
    TileRun* const last = count > 0 ? &runs[count - 1] : nullptr;
    if (last != nullptr && last->first_tap == tile.first_tap && last->taps == tile.taps &&
        tile.begin - last->begin < kMaxTileGroups * job.mr) {
      last->end = tile.end;
    } else {
      runs[count++] = tile;
    }
  }
  return count;
}

// Row sums of a block. Look-up tiles' pixels bring theirs.
void SumRows(const Job& job, size_t count, const Scratch& s) {
  const bool looks_up = LooksUp(*job.convolution.kernel);
  const size_t mr = job.mr, k = job.layout.k, pairs = job.layout.k_padded / 2;
  const uint8_t* const* rows = s.rows;
  for (int32_t* sums = s.row_sums; sums < s.row_sums + count; sums += mr) {
    std::fill_n(sums, mr, 0);
    for (size_t tap = 0; tap < job.layout.taps; ++tap, rows += mr) {
      for (size_t i = 0; i < mr; ++i) sums[i] += looks_up ? SumOfPixel(rows[i], pairs) : SumOfBytes(rows[i], k);
    }
  }
}

// All that tiles of `job` do for a range.
void RunBlocks(const Job& job, const uint8_t* input, const uint8_t* residual, void* const* out,
               const ConvolveRange& range, void* memory) {
  const Convolution& c = job.convolution;
  const Scratch scratch(job, memory);
  const PanelLayout& layout = job.layout;
  const size_t out_c = static_cast<size_t>(c.geometry.out_c), n_padded = PackedColumns(*c.kernel, job.n);
  const size_t kr = static_cast<size_t>(c.kernel->kr);
  GemmTile tile{.k_padded = layout.k_padded,
                .codebook = c.codebook,
                .pairs = c.pairs,
                .widen_steps = c.widen_steps,
                .requantize = c.requantize,
                .outputs = c.outputs,
                .stride = out_c,
                .group_stride = layout.taps * job.mr};
  const size_t panels = n_padded / job.nr;
  const size_t panel_begin = range.panel_begin, panel_end = std::min(range.panel_end, panels);
  assert(job.groups == 1 || (panel_begin == 0 && panel_end == panels));
  for (size_t block = range.m_begin; block < range.m_end; block += job.block_rows) {
    const size_t rows = std::min(job.block_rows, range.m_end - block);
    const size_t run_count = FindTileRuns(job, block, rows, scratch.runs);
    for (size_t group = 0; group < job.groups; ++group) {
      FindRows(job, input, block, rows, group, scratch);
      if (c.weight_zero_points != nullptr) SumRows(job, rows, scratch);
      for (size_t panel = panel_begin; panel < panel_end; ++panel) {
        const size_t column = panel * job.nr;
        const uint8_t* packed = c.packed + group * c.packed_group_bytes + panel * layout.packed_bytes();
        const size_t packed_column = group * n_padded + column;
        const uint8_t* weights = packed;
        if (c.decoder != nullptr) {
          const int8_t* zero = c.decode_zero_points != nullptr ? c.decode_zero_points + packed_column * kr : nullptr;
          c.decoder->run({packed, layout.blocks, layout.step_bytes, c.codebook, zero}, scratch.decoded);
          weights = scratch.decoded;
        }
        tile.bias = c.bias + packed_column;
        if (c.weight_zero_points != nullptr) tile.weight_zero_points = c.weight_zero_points + packed_column;
        tile.column = group * job.n + column;
        tile.columns = std::min(job.nr, job.n - column);
        for (const TileRun* run = scratch.runs; run < scratch.runs + run_count; ++run) {
          const size_t position = (block + run->begin) * out_c + tile.column;
          tile.rows = scratch.rows + run->begin * layout.taps + run->first_tap * job.mr;
          tile.row_sums = scratch.row_sums + run->begin;
          tile.weights = weights + run->first_tap * job.tap_bytes;
          tile.taps = run->taps;
          tile.m = static_cast<int>(run->end - run->begin);
          tile.groups = (run->end - run->begin + job.mr - 1) / job.mr;
          if (residual != nullptr) tile.residual = residual + position;
          for (int o = 0; o < c.outputs; ++o) {
            tile.out[o] = static_cast<uint8_t*>(out[o]) + position * c.requantize[o].output_bytes();
          }
          c.kernel->run(tile);
        }
      }
    }
  }
}

// Look-up tiles' part of the scratch memory, and where the rest of it begins.
struct StripScratch {
  uint8_t *pad_pixel, *image, *rest;
  size_t bytes;

  StripScratch(const PairStrips& strips, void* memory) {
    ScratchLayout layout(memory);
    pad_pixel = layout.Take<uint8_t>(strips.pixel_bytes);
    image = layout.Take<uint8_t>(strips.bytes());
    rest = layout.Take<uint8_t>(0);
    bytes = layout.bytes();
  }
};

// Strip by strip of the image, rewritten as pairs.
void RunStrips(const Convolution& c, const uint8_t* input, const uint8_t* residual, void* const* out,
               const ConvolveRange& range, void* memory) {
  const ConvGeometry& g = c.geometry;
  const PairStrips strips(g);
  const StripScratch scratch(strips, memory);
  const PackPairsFn pack = FindPackPairs(c.kernel->isa);
  const size_t channels = static_cast<size_t>(g.in_c);
  pack({c.pad_row, channels, 1, channels, strips.pairs, scratch.pad_pixel});
  Job job(c);
  job.pad_row = scratch.pad_pixel;
  const size_t out_w = static_cast<size_t>(g.out_w), strip_rows = static_cast<size_t>(strips.out_rows);
  for (size_t begin = range.m_begin; begin < range.m_end;) {
    const size_t row = begin / out_w, end = std::min(range.m_end, (row + strip_rows) * out_w);
    const int row_end = static_cast<int>((end + out_w - 1) / out_w);
    job.geometry = PackPairStrip(g, strips, pack, input, static_cast<int>(row), row_end, scratch.image);
    RunBlocks(job, scratch.image, residual, out, {begin, end, range.panel_begin, range.panel_end}, scratch.rest);
    begin = end;
  }
}

}  // namespace

size_t BlockTiles(const GemmKernel& kernel, size_t m, size_t taps, size_t k) {
  const size_t row_bytes = taps * k * (kernel.weight_bits == 16 ? 2 : 1), mr = static_cast<size_t>(kernel.mr);
  const size_t rows = kernel.weight_bits == 16 ? std::min(kBlockRows, kGatheredBytes / row_bytes) : kBlockRows;
  const size_t wanted = std::max<size_t>(1, rows / mr), tiles = (m + mr - 1) / mr;
  // Equal blocks of about as many: all weights are read once more for a short one, too.
  const size_t blocks = std::max<size_t>(1, (tiles + wanted / 2) / wanted);
  return (tiles + blocks - 1) / blocks;
}

size_t ConvolveScratchBytes(const Convolution& convolution) {
  const size_t bytes = Scratch(Job(convolution), nullptr).bytes;
  if (!LooksUp(*convolution.kernel)) return bytes;
  return bytes + StripScratch(PairStrips(convolution.geometry), nullptr).bytes;
}

void Convolve(const Convolution& c, const uint8_t* input, const uint8_t* residual, void* const* out, size_t m_begin,
              size_t m_end, void* memory) {
  ConvolvePart(c, input, residual, out, {.m_begin = m_begin, .m_end = m_end}, memory);
}

void ConvolvePart(const Convolution& c, const uint8_t* input, const uint8_t* residual, void* const* out,
                  const ConvolveRange& range, void* memory) {
  if (LooksUp(*c.kernel)) return RunStrips(c, input, residual, out, range, memory);
  RunBlocks(Job(c), input, residual, out, range, memory);
}

}  // namespace aq
