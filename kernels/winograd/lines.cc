// SPDX-License-Identifier: Apache-2.0
// The driver of lines.h. Loops, outermost first: blocks of lines of pixels (their lines of the image transformed once),
// runs of windows, panels of output channels, products, tiles; then windows back to pixels.
#include "kernels/winograd/lines.h"

#include <algorithm>
#include <cstring>

#include "kernels/gemm/image_lines.h"
#include "kernels/gemm/weight_values.h"
#include "kernels/scratch.h"
#include "kernels/winograd/line_form.h"

namespace aq {

#define AQ_WINOGRAD_LINE(isa, Enum, Struct, bytes) \
  void line_input_##isa(const LineInput&);         \
  void line_output_##isa(const WinogradOutput&);
#include "kernels/winograd/lines.inc"
#undef AQ_WINOGRAD_LINE

namespace {

constexpr size_t kValueBytes = 96 * 1024;    // of a block's transformed lines: they stay in the second-level cache
constexpr size_t kProductBytes = 24 * 1024;  // of the windows multiplied at a time: in the first-level cache

// The null row keeps the array from being empty in builds without vectors.
constexpr LineTransforms kTransforms[] = {
#define AQ_WINOGRAD_LINE(isa, Enum, Struct, bytes) \
  {#isa "_winograd_line_4", Isa::Enum, line_input_##isa, line_output_##isa},
#include "kernels/winograd/lines.inc"
#undef AQ_WINOGRAD_LINE
    {"", Isa::kScalar, nullptr, nullptr}};
constexpr size_t kTransformCount = sizeof(kTransforms) / sizeof(kTransforms[0]) - 1;

size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }
size_t RoundUp(size_t value, size_t step) { return DivideUp(value, step) * step; }

size_t Lanes(const ConvGeometry& g) { return static_cast<size_t>(g.stride_w) * static_cast<size_t>(g.in_c); }
// What one product sums over: lines and lanes.
size_t Depth(const ConvGeometry& g) { return static_cast<size_t>(g.kernel_h) * Lanes(g); }
size_t Across(const ConvGeometry& g) { return DivideUp(static_cast<size_t>(g.out_w), kLineOut); }

// One layer and the sizes that follow from it.
struct Job {
  explicit Job(const Convolution& c)
      : layer(c),
        geometry(c.geometry),
        lanes(Lanes(c.geometry)),
        mr(static_cast<size_t>(c.kernel->mr)),
        nr(static_cast<size_t>(c.kernel->nr)),
        columns(PackedColumns(*c.kernel, static_cast<size_t>(c.geometry.out_c))),
        depth(RoundUp(Depth(c.geometry), static_cast<size_t>(c.kernel->kr))),
        across(Across(c.geometry)),
        line_bytes((across * kLineOut + kLineIn - kLineOut) * lanes) {
    const size_t stride = static_cast<size_t>(geometry.stride_h), kernel_h = static_cast<size_t>(geometry.kernel_h);
    const size_t step = kLineIn * across * stride * lanes * sizeof(int16_t);  // of one more line of pixels
    block = std::clamp<size_t>(kValueBytes / step, 1, static_cast<size_t>(geometry.out_h));
    lines = (block - 1) * stride + kernel_h;
    window = lines * lanes + kLineLanes;
    run =
        std::max(mr, std::min(RoundUp(block * across, mr), kProductBytes / (kLineIn * nr * sizeof(int32_t))) / mr * mr);
  }

  const Convolution& layer;
  const ConvGeometry& geometry;
  size_t lanes, mr, nr, columns;
  size_t depth;   // of a product, whole steps of the tile
  size_t across;  // windows of a line
  size_t line_bytes;
  size_t block = 0, lines = 0;  // lines of pixels computed together, and of the image that they need
  size_t window = 0;            // int16 from window to window: [lines][lanes], then what the last store spills
  size_t run = 0;               // windows multiplied at a time
  size_t plane() const { return across * window; }
};

// What one thread needs, laid out in its scratch memory.
struct Scratch {
  uint8_t* line = nullptr;         // one line of the image and its padding
  int16_t* values = nullptr;       // [kLineIn][across][window]
  const uint8_t** rows = nullptr;  // [kLineIn][run]
  int32_t* products = nullptr;     // [kLineIn][run][nr]
  int32_t* sums = nullptr;         // of one line's windows
  int32_t* zeros = nullptr;        // [nr]
  size_t bytes = 0;

  Scratch(const Job& job, void* memory) {
    ScratchLayout layout(memory);
    line = layout.Take<uint8_t>(job.line_bytes + kLineLanes);
    values = layout.Take<int16_t>(kLineIn * job.plane());
    rows = layout.Take<const uint8_t*>(kLineIn * job.run);
    products = layout.Take<int32_t>(kLineIn * job.run * job.nr);
    sums = layout.Take<int32_t>(std::min(job.run, job.across) * kLineOut * job.nr + kWinogradSlack);
    zeros = layout.Take<int32_t>(job.nr);
    bytes = layout.bytes();
  }
};

// The lines of the image that lines [begin, begin + count) of pixels need.
void TransformLines(const Job& job, const LineTransforms& transforms, const uint8_t* input, size_t begin, size_t count,
                    const Scratch& s) {
  const ConvGeometry& g = job.geometry;
  const int first = static_cast<int>(begin) * g.stride_h - g.pad_top;
  const int lines = static_cast<int>(count - 1) * g.stride_h + g.kernel_h;
  const size_t pixels = job.line_bytes / static_cast<size_t>(g.in_c);
  for (int i = 0; i < lines; ++i) {  // in order: a store spills into the line after it
    CopyLine(g, input, job.layer.pad_row, first + i, pixels, false, s.line);
    transforms.input(
        {s.line, job.across, job.lanes, s.values + static_cast<size_t>(i) * job.lanes, job.plane(), job.window});
  }
}

// Windows [first, first + count) of the block; the last tile's rows beyond them repeat the last one.
void FindRows(const Job& job, size_t first, size_t count, const Scratch& s) {
  const size_t line_step = static_cast<size_t>(job.geometry.stride_h) * job.lanes;
  for (size_t i = 0; i < RoundUp(count, job.mr); ++i) {
    const size_t index = first + std::min(i, count - 1);
    const int16_t* const at = s.values + index % job.across * job.window + index / job.across * line_step;
    for (size_t p = 0; p < kLineIn; ++p)
      s.rows[p * job.run + i] = reinterpret_cast<const uint8_t*>(at + p * job.plane());
  }
}

void Multiply(const Job& job, const int16_t* weights, size_t count, const Scratch& s) {
  GemmTile tile{.taps = 1,
                .k_padded = job.depth,
                .codebook = job.layer.codebook,
                .bias = s.zeros,
                .m = job.layer.kernel->mr,
                .columns = job.nr,
                .groups = DivideUp(count, job.mr),
                .group_stride = job.mr};
  for (size_t p = 0; p < kLineIn; ++p) {
    tile.rows = s.rows + p * job.run;
    tile.weights = reinterpret_cast<const uint8_t*>(weights + p * job.depth * job.nr);
    tile.sums = s.products + p * job.run * job.nr;
    job.layer.kernel->run(tile);
  }
}

// The products of windows [begin, begin + count) of the image, line by line of pixels.
void WritePixels(const Job& job, const LineTransforms& transforms, const uint8_t* residual, void* const* out,
                 size_t begin, size_t count, size_t column, const Scratch& s) {
  const Convolution& c = job.layer;
  const size_t out_c = static_cast<size_t>(c.geometry.out_c), out_w = static_cast<size_t>(c.geometry.out_w);
  WinogradOutput o{.plane = job.run * job.nr,
                   .nr = job.nr,
                   .bias = c.bias + column,
                   .sums = s.sums,
                   .rows = 1,
                   .column = column,
                   .columns = std::min(job.nr, out_c - column),
                   .requantize = c.requantize,
                   .outputs = c.outputs,
                   .stride = out_c};
  for (size_t done = 0; done < count; done += o.windows) {
    const size_t y = (begin + done) / job.across, x = (begin + done) % job.across * kLineOut;
    o.windows = std::min(count - done, job.across - x / kLineOut);
    o.products = s.products + done * job.nr;
    o.pixels = std::min(o.windows * kLineOut, out_w - x);
    const size_t position = (y * out_w + x) * out_c + column;
    if (residual != nullptr) o.residual = residual + position;
    for (int i = 0; i < c.outputs; ++i) {
      o.out[i] = static_cast<uint8_t*>(out[i]) + position * c.requantize[i].output_bytes();
    }
    transforms.output(o);
  }
}

// The weight at line ky and lane `lane` of tap t, less its zero point; 0 beyond the kernel's last tap.
int WeightAt(const ConvGeometry& g, const WeightSource& source, const WeightValues& values, size_t n, int ky, int lane,
             int t) {
  const int kx = t * g.stride_w + lane / g.in_c;
  if (kx >= g.kernel_w) return 0;
  const size_t tap = static_cast<size_t>(ky * g.kernel_w + kx), channel = static_cast<size_t>(lane % g.in_c);
  const size_t index = ((source.first_n + n) * source.taps + tap) * source.k + channel;
  const int zero = source.zero_points != nullptr ? source.zero_points[source.first_n + n] : 0;
  return values.of_code[CodeAt(source.codes, index, source.bits)] - zero;
}

bool Qualifies(const ConvGeometry& g, const WeightSource& source, int32_t max_code) {
  if (g.groups != 1 || g.dilation_h != 1 || g.dilation_w != 1 || Lanes(g) > kLineLanes) return false;
  if (g.kernel_w > kLineTaps * g.stride_w) return false;
  const WeightValues values(source.bits, source.codebook);
  const size_t row = source.taps * source.k;
  for (size_t n = 0; n < source.n; ++n) {
    const int zero = source.zero_points != nullptr ? source.zero_points[source.first_n + n] : 0;
    int64_t sum = 0;
    for (size_t i = 0; i < row; ++i) {
      sum += std::abs(values.of_code[CodeAt(source.codes, (source.first_n + n) * row + i, source.bits)] - zero);
    }
    if (sum * max_code > INT32_MAX / kLineDivisor) return false;
  }
  return true;
}

// In sixteenths of an instruction, as GemmCost.
size_t TransformCost(const ConvGeometry& g, size_t columns) {
  constexpr size_t kInput = 70 * 16, kOutput = 70 * 16, kColumns = 8;  // of a window: and line, and vector of columns
  const size_t out_h = static_cast<size_t>(g.out_h);
  return Across(g) * (out_h * static_cast<size_t>(g.stride_h) * kInput + out_h * columns / kColumns * kOutput);
}

}  // namespace

LineTable AllLineTransforms() { return {kTransforms, kTransforms + kTransformCount}; }

LineChoice SelectLines(const ConvGeometry& g, const WeightSource& source, int32_t max_code, IsaSet isas) {
  LineChoice best;
  for (const LineTransforms& t : AllLineTransforms()) {
    if (!isas.Has(t.isa) || !Qualifies(g, source, max_code)) continue;
    const GemmShape shape{
        .m = Across(g) * static_cast<size_t>(g.out_h), .n = source.n, .k = Depth(g), .weight_bits = source.bits};
    const GemmChoice gemm = SelectInt16Gemm(shape, isas);
    if (gemm.kernel == nullptr) continue;
    const size_t cost = kLineIn * GemmCost(gemm, shape) + TransformCost(g, PackedColumns(*gemm.kernel, source.n));
    if (best.transforms == nullptr || cost <= best.cost) best = {&t, gemm.kernel, cost};
  }
  return best;
}

size_t LineWeightCount(const ConvGeometry& g, const GemmKernel& kernel) {
  const size_t depth = RoundUp(Depth(g), static_cast<size_t>(kernel.kr));
  return PackedColumns(kernel, static_cast<size_t>(g.out_c)) * kLineIn * depth;
}

void TransformLineWeights(const ConvGeometry& g, const WeightSource& source, const GemmKernel& kernel,
                          int16_t* packed) {
  const size_t nr = static_cast<size_t>(kernel.nr), kr = static_cast<size_t>(kernel.kr);
  const size_t product = RoundUp(Depth(g), kr) * nr;  // values of a panel
  const int lanes = static_cast<int>(Lanes(g));
  const WeightValues values(source.bits, source.codebook);
  std::fill_n(packed, LineWeightCount(g, kernel), int16_t{0});
  for (size_t n = 0; n < source.n; ++n) {
    int16_t* const panel = packed + n / nr * kLineIn * product + n % nr * kr;
    size_t k = 0;
    for (int ky = 0; ky < g.kernel_h; ++ky) {
      for (int lane = 0; lane < lanes; ++lane, ++k) {
        for (size_t p = 0; p < kLineIn; ++p) {
          int sum = 0;
          for (int t = 0; t < kLineTaps; ++t) sum += kLineWeight[p][t] * WeightAt(g, source, values, n, ky, lane, t);
          panel[p * product + k / kr * kr * nr + k % kr] = static_cast<int16_t>(sum);
        }
      }
    }
  }
}

size_t LineScratchBytes(const Convolution& layer) { return Scratch(Job(layer), nullptr).bytes; }

void LinePart(const LineWinograd& winograd, const Convolution& layer, const uint8_t* input, const uint8_t* residual,
              void* const* out, const ConvolveRange& range, void* memory) {
  const Job job(layer);
  const Scratch s(job, memory);
  std::fill_n(s.zeros, job.nr, 0);
  std::memset(s.line + job.line_bytes, 0, kLineLanes);
  const size_t panel_weights = kLineIn * job.depth * job.nr;
  const size_t panel_end = std::min(range.panel_end, job.columns / job.nr);
  for (size_t begin = range.m_begin; begin < range.m_end; begin += job.block) {
    const size_t windows = std::min(job.block, range.m_end - begin) * job.across;
    TransformLines(job, *winograd.transforms, input, begin, windows / job.across, s);
    for (size_t first = 0; first < windows; first += job.run) {
      const size_t run = std::min(job.run, windows - first);
      FindRows(job, first, run, s);
      for (size_t panel = range.panel_begin; panel < panel_end; ++panel) {
        Multiply(job, winograd.weights + panel * panel_weights, run, s);
        WritePixels(job, *winograd.transforms, residual, out, begin * job.across + first, run, panel * job.nr, s);
      }
    }
  }
}

}  // namespace aq
