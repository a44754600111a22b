// SPDX-License-Identifier: Apache-2.0
// The table of all tiles and the choice among them.
#include <cassert>
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace aq {

#define AQ_GEMM_TILE(isa, Enum, Struct, bits, label, max_pair, mr, nr, kr, flip) \
  void gemm_##isa##_##label##_##mr##x##nr(const GemmTile&);
#include "kernels/gemm/kernels.inc"
#undef AQ_GEMM_TILE

namespace {

constexpr GemmKernel kKernels[] = {
#define AQ_GEMM_TILE(isa, Enum, Struct, bits, label, max_pair, mr, nr, kr, flip) \
  {#isa "_" #label "_" #mr "x" #nr, Isa::Enum, bits, max_pair, mr, nr, kr, flip, gemm_##isa##_##label##_##mr##x##nr},
#include "kernels/gemm/kernels.inc"
#undef AQ_GEMM_TILE
};

constexpr size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }

// Rough instructions per 32 weights of one step: a dot product per row, a broadcast per row, unpacking per column
// vector.
struct IsaCost {
  size_t dot, broadcast, unpack;
};

IsaCost CostOf(const GemmKernel& kernel) {
  const bool is_narrow = kernel.max_pair < INT32_MAX;
  const size_t decode = kernel.weight_bits < 8 ? 2 : 0;
  switch (kernel.isa) {
    case Isa::kScalar:
      return {64, 8, 64 * decode};
    case Isa::kAvx2:
      return is_narrow ? IsaCost{3, 1, 1 + decode} : IsaCost{4, 3, 4 + decode};
    case Isa::kAvxVnni:
    case Isa::kAvx512Vnni:
      return {1, 1, 1 + decode};
    case Isa::kNeon:
      return {8, 1, 1 + decode};
    case Isa::kNeonDot:
      return {2, 1, 1 + decode};
    case Isa::kI8mm:
      break;
  }
  return {1, 1, 1 + decode};
}

size_t TotalCost(const GemmKernel& kernel, const GemmShape& shape) {
  constexpr size_t kCostColumns = 8;
  const IsaCost cost = CostOf(kernel);
  const size_t mr = static_cast<size_t>(kernel.mr), nr = static_cast<size_t>(kernel.nr);
  const size_t tile = mr * nr * cost.dot + (mr * cost.broadcast + 1) * kCostColumns + nr * cost.unpack;
  return DivideUp(shape.m, mr) * DivideUp(shape.n, nr) * tile;
}

}  // namespace

GemmKernels AllGemmKernels() { return {kKernels, kKernels + sizeof(kKernels) / sizeof(kKernels[0])}; }

IsaSet KernelIsas() {
  IsaSet isas;
  for (const GemmKernel& kernel : AllGemmKernels()) isas = isas.With(kernel.isa);
  return isas;
}

const GemmKernel* SelectGemm(const GemmShape& shape, IsaSet isas) {
  const GemmKernel* best = nullptr;
  size_t best_cost = 0;
  for (const GemmKernel& kernel : AllGemmKernels()) {
    if (!isas.Has(kernel.isa) || kernel.weight_bits != shape.weight_bits || shape.max_pair > kernel.max_pair) continue;
    const size_t cost = TotalCost(kernel, shape);
    if (best != nullptr && cost > best_cost) continue;
    best = &kernel;
    best_cost = cost;
  }
  assert(best != nullptr && "weight_bits must be 2, 4 or 8");
  return best;
}

}  // namespace aq
