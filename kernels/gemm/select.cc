// SPDX-License-Identifier: Apache-2.0
// The tables of all tiles and panel decoders, and the choice among them.
#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>

#include "kernels/gemm/convolve.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/pack.h"

namespace aq {

#define AQ_GEMM_TILE(isa, Enum, Struct, bits, label, max_pair, mr, nr, kr, flip) \
  void gemm_##isa##_##label##_##mr##x##nr(const GemmTile&);
#include "kernels/gemm/kernels.inc"
#undef AQ_GEMM_TILE
#define AQ_DECODE(isa, Enum, Struct, bits, to) void decode_##isa##_w##bits##_to_##to(const PanelSource&, uint8_t*);
#include "kernels/gemm/decode.inc"
#undef AQ_DECODE

namespace {

constexpr GemmKernel kKernels[] = {
#define AQ_GEMM_TILE(isa, Enum, Struct, bits, label, max_pair, mr, nr, kr, flip) \
  {#isa "_" #label "_" #mr "x" #nr, Isa::Enum, bits, max_pair, mr, nr, kr, flip, gemm_##isa##_##label##_##mr##x##nr},
#include "kernels/gemm/kernels.inc"
#undef AQ_GEMM_TILE
};

// The null row keeps the array from being empty in builds without decoders.
constexpr PanelDecoder kDecoders[] = {
#define AQ_DECODE(isa, Enum, Struct, bits, to) \
  {#isa "_w" #bits "_to_" #to, Isa::Enum, bits, to, decode_##isa##_w##bits##_to_##to},
#include "kernels/gemm/decode.inc"
#undef AQ_DECODE
    {"", Isa::kScalar, 0, 0, nullptr}};
constexpr size_t kDecoderCount = sizeof(kDecoders) / sizeof(kDecoders[0]) - 1;

constexpr size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }

// Rough cost, in sixteenths of an instruction, per vector of columns and step: a dot product per row, a broadcast per
// row, loading and unpacking; widening per row and step, over widen_steps; decoding once per block of rows.
struct IsaCost {
  size_t dot, broadcast, weights, widen;
  size_t columns = 8, decode = 64;
};

IsaCost NeonCost(const GemmKernel& kernel, size_t dot, size_t widen) {
  const size_t load = kernel.activation_flip != 0 ? 32 : 16;
  return {dot, load, kernel.weight_bits < 8 ? size_t{192} : size_t{64}, widen, 4, 288};
}

// A step is half a pair. Columns of the scalar tile are bytes of their own.
IsaCost LookupCost(const GemmKernel& kernel) {
  const size_t weights = kernel.weight_bits == 2 ? 16 : 8;
  switch (kernel.isa) {
    case Isa::kScalar:
      return {32, 16, weights, 64, 1};
    case Isa::kAvx2:
      return {18, 18, weights, 54, 32, 16};
    default:
      return {18, 18, weights, 54, 16, 16};
  }
}

IsaCost CostOf(const GemmKernel& kernel) {
  if (LooksUp(kernel)) return LookupCost(kernel);
  const bool is_narrow = kernel.max_pair < INT32_MAX;
  const size_t unpack = kernel.weight_bits < 8 ? 32 : 0;
  switch (kernel.isa) {
    case Isa::kScalar:
      return {1024, 128, 64 * unpack, 0};
    case Isa::kAvx2:
      if (is_narrow) return {32, 16, 16 + unpack, 48};
      if (kernel.weight_bits == 16) return {32, 16, 16, 0};
      return {64, 48, 64 + unpack, 0};
    case Isa::kAvxVnni:
    case Isa::kAvx512Vnni:
      return {16, 16, 16 + unpack, 0};
    case Isa::kNeon:
      if (kernel.max_pair == kByteLimit) return NeonCost(kernel, 96, 256);  // multiplies take two cycles on some cores
      if (kernel.max_pair == kPairLimit) return NeonCost(kernel, 192, 0);
      return is_narrow ? NeonCost(kernel, 128, 256) : NeonCost(kernel, 256, 0);
    case Isa::kNeonDot:
      return NeonCost(kernel, 64, 0);
    case Isa::kI8mm:
      break;
  }
  return {8, 16, 16, 0, 2, 72};
}

}  // namespace

size_t GemmCost(const GemmChoice& choice, const GemmShape& shape) {
  constexpr size_t kTileCost = 1500,
                   kLookupCost = 33;  // of a tile; of a sum in words and its share of the pixels' pairs
  const GemmKernel& kernel = *choice.kernel;
  const IsaCost cost = CostOf(kernel);
  const size_t mr = static_cast<size_t>(kernel.mr), nr = static_cast<size_t>(kernel.nr);
  const size_t vectors = DivideUp(nr, cost.columns);
  const size_t widen = cost.widen == 0 ? 0 : cost.widen / choice.widen_steps;
  const size_t step = mr * vectors * (cost.dot + widen) + mr * cost.broadcast + vectors * cost.weights;
  const size_t steps = LayoutOf(kernel, shape.weight_bits, shape.taps, shape.k, shape.lines).steps;
  const size_t tiles = DivideUp(shape.m, mr);
  const size_t decodes =
      choice.decoder != nullptr ? DivideUp(tiles, BlockTiles(kernel, shape.m, shape.taps, shape.k)) : 0;
  const size_t tile = kTileCost + (LooksUp(kernel) ? mr * nr * kLookupCost : 0);
  return DivideUp(shape.n, nr) * (tiles * (steps * step + tile) + decodes * steps * vectors * cost.decode);
}

namespace {

// Fills in the rest of the choice; false if the kernel does not suit the layer.
bool Suits(const GemmShape& shape, GemmChoice* choice) {
  const GemmKernel& kernel = *choice->kernel;
  if (shape.max_code > MaxCode(kernel)) return false;
  if (kernel.weight_bits != shape.weight_bits) {
    choice->decoder = FindDecoder(kernel, shape.weight_bits);
    if (choice->decoder == nullptr || (kernel.weight_bits == 8 && !shape.fits_int8)) return false;
  }
  if (kernel.max_pair == INT32_MAX) return true;
  if (LooksUp(kernel)) {
    choice->widen_steps = shape.lookup_steps;
    return shape.weight_bits == 2 && shape.lookup_steps >= 2;
  }
  const bool subtracts = choice->decoder != nullptr || !shape.has_zero_points;
  const bool is_counted = CountsSteps(kernel);
  const size_t planes = kernel.weight_bits < 8 ? static_cast<size_t>(8 / kernel.weight_bits) : 1;
  choice->widen_steps = subtracts ? WidenSteps(kernel, shape)
                                  : CountWidenSteps(kernel, shape.max_pair / (2 * shape.max_code), shape.max_code);
  return choice->widen_steps >= (is_counted ? planes : 1);
}

}  // namespace

GemmKernels AllGemmKernels() { return {kKernels, kKernels + sizeof(kKernels) / sizeof(kKernels[0])}; }
PanelDecoders AllDecoders() { return {kDecoders, kDecoders + kDecoderCount}; }

const PanelDecoder* FindDecoder(const GemmKernel& kernel, int bits) {
  if (kernel.weight_bits < 8 && !LooksUp(kernel)) return nullptr;  // reads packed codes
  for (const PanelDecoder& decoder : AllDecoders()) {
    if (decoder.isa == kernel.isa && decoder.bits == bits && decoder.weight_bits == kernel.weight_bits) return &decoder;
  }
  return nullptr;
}

IsaSet KernelIsas() {
  IsaSet isas;
  for (const GemmKernel& kernel : AllGemmKernels()) isas = isas.With(kernel.isa);
  return isas;
}

size_t WidenSteps(const GemmKernel& kernel, const GemmShape& shape) {
  return CountsSteps(kernel) ? shape.widen_steps : CountWidenSteps(kernel, shape.max_weight, shape.max_code);
}

namespace {

// The cheapest of the kernels for which cost_of(&choice) is a cost; it may fill in the rest. Later ones win ties.
template <class F>
GemmChoice Cheapest(IsaSet isas, F&& cost_of) {
  GemmChoice best;
  size_t best_cost = 0;
  for (const GemmKernel& kernel : AllGemmKernels()) {
    GemmChoice choice{.kernel = &kernel};
    if (!isas.Has(kernel.isa)) continue;
    const std::optional<size_t> cost = cost_of(&choice);
    if (!cost || (best.kernel != nullptr && *cost > best_cost)) continue;
    best = choice;
    best_cost = *cost;
  }
  return best;
}

}  // namespace

GemmChoice SelectGemm(const GemmShape& shape, IsaSet isas, Technique technique) {
  const GemmChoice best = SelectGemm({&shape, 1}, isas, technique);
  assert((best.kernel != nullptr || technique == Technique::kLookup) && "weight_bits must be 2, 4 or 8");
  return best;
}

GemmChoice SelectGemm(std::span<const GemmShape> shapes, IsaSet isas, Technique technique) {
  return Cheapest(isas, [&](GemmChoice* choice) -> std::optional<size_t> {
    if (LooksUp(*choice->kernel) != (technique == Technique::kLookup)) return {};
    size_t cost = 0, widen_steps = SIZE_MAX;
    for (const GemmShape& shape : shapes) {
      if (!Suits(shape, choice)) return {};
      cost += GemmCost(*choice, shape);
      widen_steps = std::min(widen_steps, choice->widen_steps);
    }
    choice->widen_steps = widen_steps;
    return cost;
  });
}

GemmChoice SelectInt16Gemm(const GemmShape& shape, IsaSet isas) {
  return Cheapest(isas, [&](GemmChoice* choice) -> std::optional<size_t> {
    if (choice->kernel->weight_bits != 16) return {};
    return GemmCost(*choice, shape);
  });
}

}  // namespace aq
