// SPDX-License-Identifier: Apache-2.0
// The driver of winograd.h. Loops, outermost first: blocks of windows (transformed once), panels of output channels
// (decoded and transformed once per block), products, tiles; then rows of windows back to pixels.
#include <algorithm>
#include <cassert>

#include "kernels/winograd/winograd.h"

namespace aq {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kValueBytes = 256 * 1024;  // of a block's transformed activations: they stay in the second-level cache
constexpr size_t kMaxWindows = 96, kMinWindows = 16;

size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }
size_t RoundUp(size_t value, size_t step) { return DivideUp(value, step) * step; }
size_t OutputBytes(const Requantize& rq) { return rq.is_wide ? sizeof(int32_t) : 1; }

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
        layout(LayoutOf(*w.layer.kernel, w.layer.weight_bits, kWinogradTaps * kWinogradTaps, channels)),
        tap_bytes(layout.steps / (kWinogradTaps * kWinogradTaps) * layout.step_bytes) {
    // Blocks of equal size, whole tiles.
    const size_t windows = WinogradWindows(w);
    const size_t most = std::clamp(kValueBytes / (products * channels), kMinWindows, kMaxWindows);
    block = RoundUp(DivideUp(windows, DivideUp(windows, most)), mr);
  }

  const Winograd& winograd;
  const WinogradForm& form;
  size_t products, channels, mr, nr, columns, across, block = 0;
  PanelLayout layout;
  size_t tap_bytes;  // of a decoded panel
};

// What one thread needs, laid out in its scratch memory.
struct Scratch {
  const uint8_t** pixels = nullptr;  // [block][products]
  const uint8_t** rows = nullptr;    // [products][block]
  uint8_t* values = nullptr;         // [products][block][channels]
  uint8_t* decoded = nullptr;        // one panel
  uint8_t* weights = nullptr;        // [products][tap_bytes]
  int32_t* sums = nullptr;           // [products][block][nr]
  int32_t* pixel_sums = nullptr;     // of one row of windows
  int32_t* zeros = nullptr;          // [nr]
  size_t bytes = 0;

  Scratch(const Job& job, void* memory) {
    const auto take = [&](size_t size) {
      uint8_t* taken = static_cast<uint8_t*>(memory) + bytes;
      bytes += RoundUp(size, kAlignment);
      return taken;
    };
    const size_t all = job.products * job.block;
    const size_t run = std::min(job.block, job.across) * static_cast<size_t>(job.form.out);
    pixels = reinterpret_cast<const uint8_t**>(take(all * sizeof(void*)));
    rows = reinterpret_cast<const uint8_t**>(take(all * sizeof(void*)));
    values = take(all * job.channels);
    decoded = take(job.layout.decoded_bytes(8));
    weights = take(job.products * job.tap_bytes);
    sums = reinterpret_cast<int32_t*>(take(all * job.nr * sizeof(int32_t)));
    pixel_sums = reinterpret_cast<int32_t*>(
        take((static_cast<size_t>(job.form.out) * run * job.nr + kWinogradSlack) * sizeof(int32_t)));
    zeros = reinterpret_cast<int32_t*>(take(job.nr * sizeof(int32_t)));
  }
};

// Pointers to the in x in pixels of each window.
void FindPixels(const Job& job, const uint8_t* input, size_t begin, size_t count, const uint8_t** pixels) {
  const ConvGeometry& g = job.winograd.layer.geometry;
  const ptrdiff_t line = ptrdiff_t{g.in_w} * g.in_c;
  for (size_t w = begin; w < begin + count; ++w) {
    const int y0 = static_cast<int>(w / job.across) * job.form.out - g.pad_top;
    const int x0 = static_cast<int>(w % job.across) * job.form.out - g.pad_left;
    for (int y = y0; y < y0 + job.form.in; ++y) {
      for (int x = x0; x < x0 + job.form.in; ++x) {
        const bool is_inside = y >= 0 && y < g.in_h && x >= 0 && x < g.in_w;
        *pixels++ = is_inside ? input + y * line + ptrdiff_t{x} * g.in_c : job.winograd.layer.pad_row;
      }
    }
  }
}

// Rows of a short block's last tile beyond its end repeat the last window.
void FindRows(const Job& job, size_t count, const Scratch& s) {
  for (size_t p = 0; p < job.products; ++p) {
    const uint8_t* first = s.values + p * job.block * job.channels;
    for (size_t i = 0; i < RoundUp(count, job.mr); ++i) {
      s.rows[p * job.block + i] = first + std::min(i, count - 1) * job.channels;
    }
  }
}

void TransformPanel(const Job& job, size_t column, const Scratch& s) {
  const Convolution& c = job.winograd.layer;
  c.decoder->run({c.packed + column / job.nr * job.layout.packed_bytes(), job.layout.blocks, job.layout.step_bytes,
                  c.codebook, c.decode_zero_points + column * static_cast<size_t>(c.kernel->kr)},
                 s.decoded);
  job.winograd.transforms->weights({s.decoded, job.tap_bytes, s.weights});
}

void Multiply(const Job& job, size_t count, const Scratch& s) {
  const Convolution& c = job.winograd.layer;
  GemmTile tile{.taps = 1,
                .k_padded = job.channels,
                .codebook = c.codebook,
                .bias = s.zeros,
                .m = c.kernel->mr,
                .columns = job.nr,
                .groups = DivideUp(count, job.mr)};
  for (size_t p = 0; p < job.products; ++p) {
    tile.rows = s.rows + p * job.block;
    tile.weights = s.weights + p * job.tap_bytes;
    tile.widen_steps = job.winograd.widen_steps[p];
    tile.sums = s.sums + p * job.block * job.nr;
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
  WinogradOutput o{.plane = job.block * job.nr,
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
      o.out[i] = static_cast<uint8_t*>(out[i]) + position * OutputBytes(c.requantize[i]);
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
  for (size_t begin = range.m_begin; begin < range.m_end; begin += job.block) {
    const size_t count = std::min(job.block, range.m_end - begin);
    FindPixels(job, input, begin, count, s.pixels);
    winograd.transforms->input({s.pixels, count, job.channels, winograd.offsets, s.values, job.block * job.channels});
    FindRows(job, count, s);
    for (size_t panel = range.panel_begin; panel < panel_end; ++panel) {
      TransformPanel(job, panel * job.nr, s);
      Multiply(job, count, s);
      WritePixels(job, residual, out, begin, count, panel * job.nr, s);
    }
  }
}

}  // namespace aq
