// SPDX-License-Identifier: Apache-2.0
#include "runtime/ops/layer.h"

#include <algorithm>
#include <cstring>

#include "kernels/depthwise/requantize_sums.h"
#include "kernels/gemm/image_lines.h"
#include "kernels/gemm/pack.h"
#include "kernels/gemm/pairs.h"
#include "kernels/winograd/lines.h"
#include "kernels/winograd/select.h"
#include "runtime/ops/quantized.h"
#include "runtime/sizes.h"

namespace aq {
namespace {

bool HasResidual(const OpContext& op) { return op.op.inputs.size() == 2; }

bool IsDepthwise(const ConvGeometry& g) { return g.groups > 1 && g.groups == g.in_c && g.groups == g.out_c; }

LayerShape ShapeOf(const ConvGeometry& g) { return {g.out_c, g.kernel_h * g.kernel_w, g.in_c / g.groups}; }

RequantizeSource LayerSource(const OpContext& op, uint32_t output) {
  RequantizeSource source = SourceOf(op, output, op.output(output));
  if (HasResidual(op)) {
    source.has_residual = true;
    source.residual_zero_point = op.input(1).zero_point;
  } else {
    source.want_acc_thresholds = op.output(output).bits() == 2;
  }
  return source;
}

const Requantize* TakeLayerRequantize(const OpContext& op, std::span<const int32_t> acc_bound, ConstantMemory* memory) {
  const uint32_t outputs = static_cast<uint32_t>(op.op.outputs.size());
  Requantize* stored = memory->Take<Requantize>(outputs);
  for (uint32_t i = 0; i < outputs; ++i) {
    RequantizeSource source = LayerSource(op, i);
    source.acc_bound = acc_bound;
    const Requantize requantize = TakeRequantize(source, acc_bound.size(), memory);
    if (!memory->is_measuring()) stored[i] = requantize;
  }
  return stored;
}

// The codes of one padding pixel, followed by the slack kernels may read.
const uint8_t* TakePadRow(const OpContext& op, const Layer& layer, ConstantMemory* memory) {
  const size_t channels = static_cast<size_t>(layer.geometry.in_c);
  uint8_t* row = memory->Take<uint8_t>(channels + kReadSlack);
  if (memory->is_measuring()) return row;
  if (layer.pad_codes.empty()) {
    std::memset(row, op.input(0).zero_point, channels);
  } else {
    std::memcpy(row, layer.pad_codes.data(), channels);
  }
  return row;
}

struct ConvolutionState {
  Winograd winograd;  // the convolution itself is winograd.layer; without any transforms it is computed directly
  LineWinograd lines;
  bool has_residual = false;
  size_t pixels = 0;           // or windows or lines of pixels
  bool splits_panels = false;  // units are pixels of panel after panel, else pixels
};

// Layers of few pixels are cut by panels of output channels: cut by pixels, every thread would decode all weights.
constexpr size_t kFewPixels = 512;

void RunConvolution(const void* state, const RunArguments& arguments, size_t begin, size_t end, void* scratch) {
  const auto& s = *static_cast<const ConvolutionState*>(state);
  const auto run = [&](const ConvolveRange& range) {
    const uint8_t* residual = s.has_residual ? arguments.inputs[1] : nullptr;
    if (s.winograd.transforms != nullptr) {
      WinogradPart(s.winograd, arguments.inputs[0], residual, arguments.outputs, range, scratch);
    } else if (s.lines.transforms != nullptr) {
      LinePart(s.lines, s.winograd.layer, arguments.inputs[0], residual, arguments.outputs, range, scratch);
    } else {
      ConvolvePart(s.winograd.layer, arguments.inputs[0], residual, arguments.outputs, range, scratch);
    }
  };
  if (!s.splits_panels) return run({.m_begin = begin, .m_end = end});
  // The end of one panel, whole panels, the beginning of another.
  while (begin < end) {
    const size_t panel = begin / s.pixels, first = begin % s.pixels;
    const bool is_whole = first == 0 && end - begin >= s.pixels;
    const size_t panels = is_whole ? (end - begin) / s.pixels : 1;
    const size_t last = is_whole ? s.pixels : std::min(s.pixels, first + (end - begin));
    run({.m_begin = first, .m_end = last, .panel_begin = panel, .panel_end = panel + panels});
    begin += is_whole ? panels * s.pixels : last - first;
  }
}

struct DepthwiseState {
  Depthwise depthwise;
  bool has_residual = false;
};

void RunDepthwise(const void* state, const RunArguments& arguments, size_t begin, size_t end, void* scratch) {
  const auto& s = *static_cast<const DepthwiseState*>(state);
  DepthwiseConvolve(s.depthwise, arguments.inputs[0], s.has_residual ? arguments.inputs[1] : nullptr, arguments.outputs,
                    begin, end, scratch);
}

// The weights of one group.
WeightSource WeightsOf(const OpContext& op, const Layer& layer, size_t group) {
  const schema::Weights& weights = *layer.weights;
  const LayerShape shape = ShapeOf(layer.geometry);
  const size_t n = static_cast<size_t>(shape.n / layer.geometry.groups);
  return {.codes = op.model.Segment(weights.segment()).data(),
          .bits = weights.bits(),
          .codebook = weights.codebook() ? weights.codebook()->data() : nullptr,
          .zero_points = weights.zero_point() ? weights.zero_point()->data() : nullptr,
          .first_n = group * n,
          .n = n,
          .taps = static_cast<size_t>(shape.taps),
          .k = static_cast<size_t>(shape.k),
          .lines = LinesOf(layer.geometry, !weights.codebook() && !weights.zero_point())};
}

GemmShape GemmShapeOf(const OpContext& op, const Layer& layer, const WeightStatistics& statistics) {
  const ConvGeometry& g = layer.geometry;
  const WeightSource source = WeightsOf(op, layer, 0);
  const int32_t max_code = op.input(0).max_code();
  return {.m = static_cast<size_t>(g.out_h) * static_cast<size_t>(g.out_w),
          .n = source.n,
          .k = source.k,
          .taps = source.taps,
          .lines = source.lines,
          .weight_bits = source.bits,
          .max_code = max_code,
          .max_pair = 2 * statistics.max_magnitude * max_code,
          .has_zero_points = statistics.has_zero_points,
          .fits_int8 = statistics.fits_int8,
          .max_weight = statistics.max_weight,
          .widen_steps = static_cast<size_t>(INT16_MAX / std::max(2 * statistics.max_weight * max_code, 1))};
}

GemmChoice ChooseLookup(const OpContext& op, const Layer& layer, IsaSet isas, GemmShape* shape) {
  if (layer.geometry.groups != 1) return {};
  shape->lookup_steps = LeastLookupSteps(WeightsOf(op, layer, 0), shape->max_code);
  return SelectGemm(*shape, isas, Technique::kLookup);
}

// A tile, of the layer or of its Winograd products.
struct LayerChoice {
  GemmChoice gemm;
  WinogradChoice winograd = {};  // with transforms: the technique is Winograd
  LineChoice lines = {};         // likewise, of a first layer
};

// The cheapest technique, or the one that is asked for if it applies. Costs of what was looked at.
LayerChoice ChooseLayer(const OpContext& op, const Layer& layer, const WeightStatistics& statistics,
                        const Target& target, uint64_t costs[kTechniqueCount]) {
  GemmShape shape = GemmShapeOf(op, layer, statistics);
  LayerChoice choice{SelectGemm(shape, target.isas)};
  uint64_t least = GemmCost(choice.gemm, shape) * static_cast<uint64_t>(layer.geometry.groups);
  costs[static_cast<int>(Technique::kDirect)] = least;
  // Whether to take a technique of this cost.
  const auto takes = [&](Technique technique, uint64_t cost) {
    costs[static_cast<int>(technique)] = cost;
    const bool is_taken = target.technique == technique || (!target.technique && cost < least);
    if (is_taken) least = cost;
    return is_taken;
  };
  const GemmChoice lookup = ChooseLookup(op, layer, target.isas, &shape);
  if (lookup.kernel != nullptr && takes(Technique::kLookup, GemmCost(lookup, shape))) choice.gemm = lookup;
  const int32_t acc_bound = *std::max_element(statistics.acc_bound.begin(), statistics.acc_bound.end());
  const WeightSource source = WeightsOf(op, layer, 0);
  const WinogradChoice winograd = SelectWinograd(layer.geometry, source, shape.max_code, acc_bound, target.isas);
  if (winograd.transforms != nullptr && takes(Technique::kWinograd, winograd.cost)) return {winograd.gemm, winograd};
  const LineChoice lines = SelectLines(layer.geometry, source, shape.max_code, target.isas);
  if (lines.transforms != nullptr && takes(Technique::kWinograd, lines.cost)) {
    return {.gemm = {.kernel = lines.kernel}, .lines = lines};
  }
  return choice;
}

// How long these very weights may be summed in few bits: a pass over them that the choice did without.
void CountSteps(const OpContext& op, const Layer& layer, bool has_zero_points, GemmChoice* choice) {
  const GemmKernel& kernel = *choice->kernel;
  WeightSource source = WeightsOf(op, layer, 0);
  source.n = static_cast<size_t>(layer.geometry.out_c);  // all groups
  if (LooksUp(kernel)) {
    choice->widen_steps = CountLookupSteps(source, op.input(0).max_code());
  } else if (CountsSteps(kernel) && (choice->decoder != nullptr || !has_zero_points)) {
    choice->widen_steps = CountWidenSteps(source, op.input(0).max_code());
  }
}

// Packed weights, and bias and zero points per packed column, group by group.
void TakePackedWeights(const OpContext& op, const Layer& layer, bool has_zero_points, bool whole_taps,
                       ConstantMemory* memory, Convolution* convolution) {
  const GemmKernel& kernel = *convolution->kernel;
  const size_t groups = static_cast<size_t>(layer.geometry.groups);
  WeightSource first = WeightsOf(op, layer, 0);
  first.whole_taps = whole_taps;
  const size_t columns = PackedColumns(kernel, first.n), kr = static_cast<size_t>(kernel.kr);
  const bool looks_up = LooksUp(kernel);
  const PairTable table = looks_up ? MakePairTable(first.codebook) : PairTable();
  const bool decodes = whole_taps || (convolution->decoder != nullptr && !looks_up);
  const bool sums_rows = (has_zero_points && !decodes) || table.centre != 0;

  convolution->weight_bits = first.bits;
  convolution->lines = first.lines;
  convolution->packed_group_bytes =
      (PackedBytes(kernel, first) + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
  uint8_t* packed = memory->Take<uint8_t>(uint64_t{groups} * convolution->packed_group_bytes);
  int32_t* bias = memory->Take<int32_t>(uint64_t{groups} * columns);
  int32_t* row_zero_points = sums_rows ? memory->Take<int32_t>(uint64_t{groups} * columns) : nullptr;
  int8_t* decode_zero_points = decodes ? memory->Take<int8_t>(uint64_t{groups} * columns * kr) : nullptr;
  convolution->packed = packed;
  convolution->bias = bias;
  convolution->weight_zero_points = row_zero_points;
  convolution->decode_zero_points = decode_zero_points;
  convolution->pairs = looks_up ? memory->Store(table) : nullptr;
  if (memory->is_measuring()) return;

  ExpandCodebook(first.bits, first.codebook, convolution->codebook);
  for (size_t group = 0; group < groups; ++group) {
    WeightSource source = WeightsOf(op, layer, group);
    source.whole_taps = whole_taps;
    for (size_t i = 0; sums_rows && i < first.n; ++i) {
      const int32_t zero = source.zero_points != nullptr ? source.zero_points[source.first_n + i] : 0;
      row_zero_points[group * columns + i] = zero - table.centre;
    }
    if (!decodes) source.zero_points = nullptr;
    PackWeights(source, kernel, packed + group * convolution->packed_group_bytes);
    PackBias(source, kernel, layer.weights->bias()->data() + group * first.n, bias + group * columns);
    if (decodes) PackZeroPoints(source, kernel, decode_zero_points + group * columns * kr);
  }
}

// Transforms, offsets and biases beside the packed weights.
void TakeWinograd(const OpContext& op, const Layer& layer, const WinogradChoice& choice, ConstantMemory* memory,
                  Winograd* winograd) {
  const WinogradForm& form = *choice.transforms->form;
  const GemmKernel& kernel = *choice.gemm.kernel;
  const size_t columns = PackedColumns(kernel, static_cast<size_t>(layer.geometry.out_c));
  int32_t* bias = memory->Take<int32_t>(static_cast<uint64_t>(form.out * form.out) * columns);
  winograd->transforms = choice.transforms;
  winograd->bias = bias;
  for (int p = 0; p < form.products(); ++p) {
    winograd->offsets[p] = choice.bounds.offsets[p];
    winograd->widen_steps[p] = choice.widen_steps[p];
  }
  if (memory->is_measuring()) return;
  WinogradBias(form, WeightsOf(op, layer, 0), choice.bounds.offsets, kernel.activation_flip,
               layer.weights->bias()->data(), columns, bias);
}

// Transformed weights in the place of packed ones.
void TakeLines(const OpContext& op, const Layer& layer, const LineChoice& choice, ConstantMemory* memory,
               Convolution* convolution, LineWinograd* lines) {
  const WeightSource source = WeightsOf(op, layer, 0);
  int16_t* weights = memory->Take<int16_t>(LineWeightCount(layer.geometry, *choice.kernel));
  int32_t* bias = memory->Take<int32_t>(PackedColumns(*choice.kernel, source.n));
  *lines = {choice.transforms, weights};
  convolution->bias = bias;
  if (memory->is_measuring()) return;
  TransformLineWeights(layer.geometry, source, *choice.kernel, weights);
  PackBias(source, *choice.kernel, layer.weights->bias()->data(), bias);
}

void PrepareConvolution(const OpContext& op, const Layer& layer, const WeightStatistics& statistics,
                        const Target& target, ConstantMemory* memory, PreparedOp* prepared) {
  ConvolutionState state;
  state.has_residual = HasResidual(op);
  Convolution& convolution = state.winograd.layer;
  convolution.geometry = layer.geometry;
  LayerChoice choice = ChooseLayer(op, layer, statistics, target, prepared->costs);
  const bool uses_winograd = choice.winograd.transforms != nullptr, uses_lines = choice.lines.transforms != nullptr;
  const bool is_direct = !uses_winograd && !uses_lines;
  if (is_direct && !memory->is_measuring()) CountSteps(op, layer, statistics.has_zero_points, &choice.gemm);
  convolution.kernel = choice.gemm.kernel;
  convolution.decoder = choice.gemm.decoder;
  convolution.widen_steps = choice.gemm.widen_steps;
  if (uses_lines) {
    TakeLines(op, layer, choice.lines, memory, &convolution, &state.lines);
  } else {
    TakePackedWeights(op, layer, statistics.has_zero_points, uses_winograd, memory, &convolution);
  }
  if (uses_winograd) TakeWinograd(op, layer, choice.winograd, memory, &state.winograd);
  convolution.requantize = TakeLayerRequantize(op, statistics.acc_bound, memory);
  convolution.outputs = static_cast<int>(op.op.outputs.size());
  convolution.pad_row = TakePadRow(op, layer, memory);
  convolution.pads_with_zero =
      !memory->is_measuring() && std::all_of(convolution.pad_row, convolution.pad_row + layer.geometry.in_c,
                                             [](uint8_t code) { return code == 0; });
  state.splits_panels = layer.geometry.groups == 1 && prepared->units < kFewPixels;
  if (uses_winograd) {
    state.pixels = WinogradWindows(state.winograd);
    prepared->kernel = choice.winograd.transforms->name;
    prepared->scratch_bytes = WinogradScratchBytes(state.winograd);
  } else if (uses_lines) {
    state.pixels = static_cast<size_t>(layer.geometry.out_h);
    prepared->kernel = choice.lines.transforms->name;
    prepared->scratch_bytes = LineScratchBytes(convolution);
  } else {
    state.pixels = prepared->units;
    prepared->kernel = convolution.kernel->name;
    prepared->scratch_bytes = ConvolveScratchBytes(convolution);
  }
  prepared->units = state.pixels;
  if (state.splits_panels) {
    prepared->units *= PackedColumns(*convolution.kernel, static_cast<size_t>(layer.geometry.out_c)) /
                       static_cast<size_t>(convolution.kernel->nr);
  }
  prepared->run = RunConvolution;
  prepared->state = memory->Store(state);
}

void PrepareDepthwise(const OpContext& op, const Layer& layer, const WeightStatistics& statistics, const Target& target,
                      ConstantMemory* memory, PreparedOp* prepared) {
  const ConvGeometry& g = layer.geometry;
  WeightSource source = WeightsOf(op, layer, 0);
  source.n = static_cast<size_t>(g.out_c);
  const size_t padded = (source.n + kChannelPad - 1) / kChannelPad * kChannelPad;

  DepthwiseState state;
  state.has_residual = HasResidual(op);
  Depthwise& depthwise = state.depthwise;
  depthwise.geometry = g;
  const int32_t max_code = op.input(0).max_code();
  depthwise.kernel = SelectDepthwise(FitsInt16Sums(source, max_code), target.isas);
  uint8_t* weights = memory->Take<uint8_t>(DepthwiseWeightBytes(*depthwise.kernel, source.taps, source.n));
  int32_t* bias = memory->Take<int32_t>(padded);
  depthwise.weights = weights;
  depthwise.bias = bias;
  depthwise.requantize = TakeLayerRequantize(op, statistics.acc_bound, memory);
  depthwise.outputs = static_cast<int>(op.op.outputs.size());
  const bool in_registers = depthwise.outputs == 1 && !state.has_residual;
  uint8_t* of_sums = memory->Take<uint8_t>(in_registers ? SumRequantizeBytes(*depthwise.kernel, source.n) : 0);
  if (!memory->is_measuring()) {
    const int32_t* file_bias = layer.weights->bias()->data();
    std::memcpy(bias, file_bias, source.n * sizeof(int32_t));
    PackDepthwise(source, max_code, *depthwise.kernel, bias, weights);
    if (in_registers) {
      depthwise.of_sums =
          PrepareSumRequantize(source, max_code, file_bias, *depthwise.requantize, *depthwise.kernel, of_sums);
    }
  }
  depthwise.pad_row = TakePadRow(op, layer, memory);
  prepared->kernel = depthwise.kernel->name;
  prepared->scratch_bytes = DepthwiseScratchBytes(depthwise);
  prepared->run = RunDepthwise;
  prepared->state = memory->Store(state);
}

uint64_t MacsOf(const ConvGeometry& g) {
  const LayerShape shape = ShapeOf(g);
  return uint64_t(g.out_h) * uint64_t(g.out_w) * uint64_t(shape.n) * uint64_t(shape.taps) * uint64_t(shape.k);
}

Status CheckMacs(const OpContext& op, const ConvGeometry& g, uint64_t* work) {
  const LayerShape shape = ShapeOf(g);
  const std::array<int32_t, 5> factors = {g.out_h, g.out_w, shape.n, shape.taps, shape.k};
  if (CheckedBytes(factors, 8, 1, work)) return {};
  return Error(Code::kLimit, "op %s: %d x %d x %d x %d x %d multiply-adds", op.op.name, g.out_h, g.out_w, shape.n,
               shape.taps, shape.k);
}

}  // namespace

Status ValidateLayer(const OpContext& op, const Layer& layer, uint64_t* work) {
  const ConvGeometry& g = layer.geometry;
  const Tensor& input = op.input(0);
  if (g.groups < 1 || g.in_c % g.groups != 0 || g.out_c % g.groups != 0) {
    return Error(Code::kCorrupt, "op %s: %d groups do not divide %d input and %d output channels", op.op.name, g.groups,
                 g.in_c, g.out_c);
  }
  if (HasResidual(op) && op.input(1).shape != op.output(0).shape) {
    return Error(Code::kCorrupt, "op %s: residual %s has %llu elements or a shape other than the output's %llu",
                 op.op.name, op.input(1).name, static_cast<unsigned long long>(op.input(1).elements),
                 static_cast<unsigned long long>(op.output(0).elements));
  }
  for (size_t i = 0; i < layer.pad_codes.size(); ++i) {
    AQ_RETURN_IF_ERROR(CheckRange(op.op, "padding code", layer.pad_codes[i], 0, input.max_code()));
  }
  AQ_RETURN_IF_ERROR(CheckMacs(op, g, work));
  WeightStatistics statistics;
  AQ_RETURN_IF_ERROR(CheckWeights(op, *layer.weights, ShapeOf(g), input.max_code(), IsDepthwise(g), &statistics));

  const size_t n = static_cast<size_t>(g.out_c);
  const uint32_t outputs = static_cast<uint32_t>(op.op.outputs.size());
  AQ_RETURN_IF_ERROR(CheckRequantizeCount(op, outputs));
  for (uint32_t i = 0; i < outputs; ++i) {
    AQ_RETURN_IF_ERROR(CheckShape(op, i, op.output(0).shape.span()));
    const RequantizeUse use{.multiplies = true, .ratio = false, .residual_ratio = HasResidual(op)};
    AQ_RETURN_IF_ERROR(CheckRequantize(op, i, use, n));
    AQ_RETURN_IF_ERROR(CheckScalings(op, LayerSource(op, i), statistics.acc_bound, n));
  }
  return {};
}

void PrepareLayer(const OpContext& op, const Layer& layer, const Target& target, ConstantMemory* memory,
                  PreparedOp* prepared) {
  // The weights were checked at load. This second pass finds the bounds again, which are not worth keeping; a mapped
  // file that has changed meanwhile gives wrong numbers, nothing worse.
  WeightStatistics statistics;
  const Status status = CheckWeights(op, *layer.weights, ShapeOf(layer.geometry), op.input(0).max_code(),
                                     IsDepthwise(layer.geometry), &statistics);
  (void)status;
  prepared->units = static_cast<size_t>(layer.geometry.out_h) * static_cast<size_t>(layer.geometry.out_w);
  prepared->macs = prepared->work = MacsOf(layer.geometry);
  if (IsDepthwise(layer.geometry)) {
    PrepareDepthwise(op, layer, statistics, target, memory, prepared);
  } else {
    PrepareConvolution(op, layer, statistics, target, memory, prepared);
  }
}

}  // namespace aq
