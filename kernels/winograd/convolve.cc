// SPDX-License-Identifier: Apache-2.0
// The driver of winograd.h. Loops, outermost first: blocks of windows (transformed once), panels of output channels
// (decoded and transformed once per block), products, tiles; then rows of windows back to pixels.
#include <algorithm>
#include <cassert>

#include "kernels/scratch.h"
#include "kernels/winograd/winograd.h"

namespace aq {
namespace {

constexpr size_t kTaps = kWinogradTaps * kWinogradTaps;
constexpr size_t kValueBytes = 256 * 1024;  // of a block's transformed activations: they stay in the second-level cache
constexpr size_t kMaxWindows = 208, kMinWindows = 16;
constexpr size_t kProductBytes = 24 * 1024;  // of the windows multiplied at a time: in the first-level cache
constexpr size_t kPlaneGap = 64;  // planes of a power of two apart would share few sets of the first-level cache

size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }
size_t RoundUp(size_t value, size_t step) { return DivideUp(value, step) * step; }

// One layer and the sizes that follow from it.
struct Job {
  explicit Job(const Winograd& w)
      : winograd(w),
        form(*w.transforms->form),
        products(static_cast<size_t>(form.products())),
        channels(static_cast<size_t>(w.layer.geometry.in_c)),
        mr(static_cast<size_t>(w.layer.kernel->mr)),
        nr(static_cast<size_t>(w.layer.kernel->nr)),
        columns(PackedColumns(*w.layer.kernel, static_cast<size_t>(w.layer.geometry.out_c))),
        across(DivideUp(static_cast<size_t>(w.layer.geometry.out_w), static_cast<size_t>(form.out))),
        row_bytes(channels * w.transforms->value_bytes),
        layout(LayoutOf(*w.layer.kernel, w.layer.weight_bits, kTaps, channels, 1, true)),
        weight_plane(layout.decoded_bytes(w.layer.kernel->weight_bits) / kTaps + kPlaneGap) {
    // Blocks of equal size, whole tiles.
    const size_t windows = WinogradWindows(w);
    const size_t most = std::clamp(kValueBytes / (products * row_bytes), kMinWindows, kMaxWindows);
    block = RoundUp(DivideUp(windows, DivideUp(windows, most)), mr);
    run = std::max(mr, std::min(block, kProductBytes / (products * nr * sizeof(int32_t))) / mr * mr);
  }

  const Winograd& winograd;
  const WinogradForm& form;
  size_t products, channels, mr, nr, columns, across;
  size_t block = 0, run = 0;  // windows transformed, and multiplied, at a time
  size_t row_bytes;           // of a transformed window and product
  PanelLayout layout;
  size_t weight_plane;  // of a transformed panel
};

// What one thread needs, laid out in its scratch memory.
struct Scratch {
  const uint8_t** pixels = nullptr;  // [block][products]
  const uint8_t** rows = nullptr;    // [products][block]
  uint8_t* values = nullptr;         // [products][block][channels]
  uint8_t* weights = nullptr;        // [products][weight_plane]
  int32_t* sums = nullptr;           // [products][run][nr]
  int32_t* pixel_sums = nullptr;     // of one row of windows
  int32_t* zeros = nullptr;          // [nr]
  size_t bytes = 0;

  Scratch(const Job& job, void* memory) {
    ScratchLayout layout(memory);
    const size_t all = job.products * job.block;
    const size_t pixels_across = std::min(job.run, job.across) * static_cast<size_t>(job.form.out);
    pixels = layout.Take<const uint8_t*>(all);
    rows = layout.Take<const uint8_t*>(all);
    values = layout.Take<uint8_t>(all * job.row_bytes);
    weights = layout.Take<uint8_t>(job.products * job.weight_plane);
    sums = layout.Take<int32_t>(job.products * job.run * job.nr);
    pixel_sums = layout.Take<int32_t>(static_cast<size_t>(job.form.out) * pixels_across * job.nr + kWinogradSlack);
    zeros = layout.Take<int32_t>(job.nr);
    bytes = layout.bytes();
  }
};

// Pointers to the in x in pixels of each window.
void FindPixels(const Job& job, const uint8_t* input, size_t begin, size_t count, const uint8_t** pixels) {
  const ConvGeometry& g = job.winograd.layer.geometry;
  const int side = job.form.in;
  const ptrdiff_t pixel = g.in_c, line = g.in_w * pixel;
  ptrdiff_t offsets[kMaxWinogradProducts];  // from a window's corner
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) offsets[y * side + x] = y * line + x * pixel;
  }
  size_t window_x = begin % job.across, window_y = begin / job.across;
  for (size_t w = 0; w < count; ++w, pixels += job.products) {
    const int x0 = static_cast<int>(window_x) * job.form.out - g.pad_left;
    const int y0 = static_cast<int>(window_y) * job.form.out - g.pad_top;
    const ptrdiff_t corner = y0 * line + x0 * pixel;
    if (y0 >= 0 && y0 + side <= g.in_h && x0 >= 0 && x0 + side <= g.in_w) {
      for (size_t p = 0; p < job.products; ++p) pixels[p] = input + (corner + offsets[p]);
    } else {
      for (int p = 0; p < job.form.products(); ++p) {
        const int y = y0 + p / side, x = x0 + p % side;
        const bool is_pixel = y >= 0 && y < g.in_h && x >= 0 && x < g.in_w;
        pixels[p] = is_pixel ? input + (corner + offsets[p]) : job.winograd.layer.pad_row;
      }
    }
    if (++window_x == job.across) {
      window_x = 0;
      ++window_y;
    }
  }
}

// Rows of a short block's last tile beyond its end repeat the last window.
void FindRows(const Job& job, size_t count, const Scratch& s) {
  for (size_t p = 0; p < job.products; ++p) {
    const uint8_t* first = s.values + p * job.block * job.row_bytes;
    for (size_t i = 0; i < RoundUp(count, job.mr); ++i) {
      s.rows[p * job.block + i] = first + std::min(i, count - 1) * job.row_bytes;
    }
  }
}

void TransformPanel(const Job& job, size_t column, const Scratch& s) {
  const Convolution& c = job.winograd.layer;
  const PanelSource tap{c.packed + column / job.nr * job.layout.packed_bytes(), job.layout.blocks / kTaps,
                        job.layout.step_bytes, c.codebook,
                        c.decode_zero_points + column * static_cast<size_t>(c.kernel->kr)};
  const WinogradTransforms& transforms = *job.winograd.transforms;
  const auto transform = c.weight_bits == 2   ? transforms.weights2
                         : c.weight_bits == 4 ? transforms.weights4
                                              : transforms.weights8;
  transform({tap, s.weights, job.weight_plane});
}

// Windows [first, first + count) of the block.
void Multiply(const Job& job, size_t first, size_t count, const Scratch& s) {
  const Convolution& c = job.winograd.layer;
  GemmTile tile{.taps = 1,
                .k_padded = job.channels,
                .codebook = c.codebook,
                .bias = s.zeros,
                .m = c.kernel->mr,
                .columns = job.nr,
                .groups = DivideUp(count, job.mr),
                .group_stride = job.mr};
  for (size_t p = 0; p < job.products; ++p) {
    tile.rows = s.rows + p * job.block + first;
    tile.weights = s.weights + p * job.weight_plane;
    tile.widen_steps = job.winograd.widen_steps[p];
    tile.sums = s.sums + p * job.run * job.nr;
    c.kernel->run(tile);
  }
}

// Windows [begin, begin + count) of output channels from `column`, row of windows by row of windows.
void WritePixels(const Job& job, const uint8_t* residual, void* const* out, size_t begin, size_t count, size_t column,
                 const Scratch& s) {
  const Convolution& c = job.winograd.layer;
  const ConvGeometry& g = c.geometry;
  const size_t side = static_cast<size_t>(job.form.out);
  const size_t out_c = static_cast<size_t>(g.out_c), out_w = static_cast<size_t>(g.out_w);
  WinogradOutput o{.plane = job.run * job.nr,
                   .nr = job.nr,
                   .bias = job.winograd.bias + column,
                   .bias_stride = job.columns,
                   .sums = s.pixel_sums,
                   .column = column,
                   .columns = std::min(job.nr, out_c - column),
                   .requantize = c.requantize,
                   .outputs = c.outputs,
                   .stride = out_c,
                   .line = out_w * out_c};
  for (size_t done = 0; done < count; done += o.windows) {
    const size_t y = (begin + done) / job.across * side, x = (begin + done) % job.across * side;
    o.windows = std::min(count - done, job.across - x / side);
    o.products = s.sums + done * job.nr;
    o.rows = std::min(side, static_cast<size_t>(g.out_h) - y);
    o.pixels = std::min(o.windows * side, out_w - x);
    const size_t position = (y * out_w + x) * out_c + column;
    if (residual != nullptr) o.residual = residual + position;
    for (int i = 0; i < c.outputs; ++i) {
      o.out[i] = static_cast<uint8_t*>(out[i]) + position * c.requantize[i].output_bytes();
    }
    job.winograd.transforms->output(o);
  }
}

}  // namespace

size_t WinogradWindows(const ConvGeometry& g, const WinogradForm& form) {
  const size_t side = static_cast<size_t>(form.out);
  return DivideUp(static_cast<size_t>(g.out_h), side) * DivideUp(static_cast<size_t>(g.out_w), side);
}
size_t WinogradWindows(const Winograd& winograd) {
  return WinogradWindows(winograd.layer.geometry, *winograd.transforms->form);
}

size_t WinogradScratchBytes(const Winograd& winograd) { return Scratch(Job(winograd), nullptr).bytes; }

void WinogradPart(const Winograd& winograd, const uint8_t* input, const uint8_t* residual, void* const* out,
                  const ConvolveRange& range, void* memory) {
  const Job job(winograd);
  const Scratch s(job, memory);
  std::fill_n(s.zeros, job.nr, 0);
  const size_t panel_end = std::min(range.panel_end, job.columns / job.nr);
  size_t rows = 0;  // for which there are pointers
  for (size_t begin = range.m_begin; begin < range.m_end; begin += job.block) {
    const size_t count = std::min(job.block, range.m_end - begin);
    FindPixels(job, input, begin, count, s.pixels);
    winograd.transforms->input({s.pixels, count, job.channels, winograd.offsets, s.values, job.block * job.row_bytes});
    if (count != rows) FindRows(job, count, s);
    rows = count;
    for (size_t panel = range.panel_begin; panel < panel_end; ++panel) {
      TransformPanel(job, panel * job.nr, s);
      for (size_t first = 0; first < count; first += job.run) {
        const size_t run = std::min(job.run, count - first);
        Multiply(job, first, run, s);
        WritePixels(job, residual, out, begin + first, run, panel * job.nr, s);
      }
    }
  }
}

}  // namespace aq
