// SPDX-License-Identifier: Apache-2.0
// The table of all transforms and the choice among them.
#include "kernels/winograd/select.h"

#include <algorithm>

namespace aq {

#define AQ_WINOGRAD(isa, Enum, Struct, form, label, bytes)            \
  void winograd_input_##isa##_##label(const WinogradInput&);          \
  void winograd_weights_##isa##_##label##_w2(const WinogradWeights&); \
  void winograd_weights_##isa##_##label##_w4(const WinogradWeights&); \
  void winograd_output_##isa##_##label(const WinogradOutput&);
#define AQ_WINOGRAD_INT16(isa, Enum, Struct, form, label, bytes) \
  AQ_WINOGRAD(isa, Enum, Struct, form, label, bytes)             \
  void winograd_weights_##isa##_##label##_w8(const WinogradWeights&);
#include "kernels/winograd/kernels.inc"
#undef AQ_WINOGRAD
#undef AQ_WINOGRAD_INT16

namespace {

// The null row keeps the array from being empty in builds without vectors.
constexpr WinogradTransforms kTransforms[] = {
#define AQ_WINOGRAD_ROW(isa, Enum, form, label, bytes, value_bytes, weights8) \
  {#isa "_winograd_" #label,                                                  \
   Isa::Enum,                                                                 \
   &kWinogradForms[form],                                                     \
   bytes,                                                                     \
   value_bytes,                                                               \
   winograd_input_##isa##_##label,                                            \
   winograd_weights_##isa##_##label##_w2,                                     \
   winograd_weights_##isa##_##label##_w4,                                     \
   weights8,                                                                  \
   winograd_output_##isa##_##label},
#define AQ_WINOGRAD(isa, Enum, Struct, form, label, bytes) AQ_WINOGRAD_ROW(isa, Enum, form, label, bytes, 1, nullptr)
#define AQ_WINOGRAD_INT16(isa, Enum, Struct, form, label, bytes) \
  AQ_WINOGRAD_ROW(isa, Enum, form, label, bytes, 2, winograd_weights_##isa##_##label##_w8)
#include "kernels/winograd/kernels.inc"
#undef AQ_WINOGRAD
#undef AQ_WINOGRAD_INT16
    {"", Isa::kScalar, nullptr, 0, 0, nullptr, nullptr, nullptr, nullptr, nullptr}};
constexpr size_t kTransformCount = sizeof(kTransforms) / sizeof(kTransforms[0]) - 1;

bool Qualifies(const ConvGeometry& g) {
  return g.kernel_h == kWinogradTaps && g.kernel_w == kWinogradTaps && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1;
}

// In sixteenths of an instruction, as GemmCost: the vectors that go through the transforms. Each takes about as many
// additions as a matrix has rows.
size_t TransformCost(const WinogradTransforms& t, const ConvGeometry& g, const GemmKernel& kernel) {
  constexpr size_t kInput = 16, kWeights = 32, kOutput = 36;  // the last with rounding; per product, row and vector
  constexpr size_t kBlock = 64;                               // windows for which weights are transformed once
  const size_t windows = WinogradWindows(g, *t.form), blocks = (windows + kBlock - 1) / kBlock;
  const size_t columns = PackedColumns(kernel, static_cast<size_t>(g.out_c));
  const size_t in_vectors = static_cast<size_t>(g.in_c) * t.value_bytes / t.vector_bytes;
  const size_t out_vectors = columns * sizeof(int32_t) / t.vector_bytes;
  const size_t rows = static_cast<size_t>(t.form->products() * t.form->in);
  return rows * (windows * (in_vectors * kInput + out_vectors * kOutput) + blocks * in_vectors * columns * kWeights);
}

// Products come from the second-level cache, where direct tiles find activations in the first.
constexpr size_t WithCacheMisses(size_t cost) { return cost + cost / 8; }

}  // namespace

WinogradTable AllWinogradTransforms() { return {kTransforms, kTransforms + kTransformCount}; }

WinogradChoice SelectWinograd(const ConvGeometry& g, const WeightSource& source, int32_t max_code, int32_t acc_bound,
                              IsaSet isas) {
  WinogradChoice best;
  if (!Qualifies(g)) return best;
  for (const WinogradTransforms& t : AllWinogradTransforms()) {
    if (!isas.Has(t.isa) || source.k * t.value_bytes % t.vector_bytes != 0) continue;
    if (!WinogradSumsFit(*t.form, acc_bound)) continue;
    WinogradChoice choice{.transforms = &t, .gemm = {}, .bounds = {}};
    const size_t products = static_cast<size_t>(t.form->products());
    GemmShape shapes[kMaxWinogradProducts];  // of the products: they differ in what values there are
    std::fill_n(shapes, products,
                GemmShape{.m = WinogradWindows(g, *t.form), .n = source.n, .k = source.k, .weight_bits = source.bits});
    if (t.value_bytes == 2) {
      choice.gemm = SelectInt16Gemm(shapes[0], isas);
      if (choice.gemm.kernel == nullptr) continue;
    } else {
      if (source.bits > 4) continue;
      choice.bounds = FindWinogradBounds(*t.form, source, max_code);
      if (!choice.bounds.fits) continue;
      for (size_t p = 0; p < products; ++p) {
        shapes[p].max_code = choice.bounds.max_codes[p];
        shapes[p].max_weight = choice.bounds.max_weights[p];
        shapes[p].widen_steps = choice.bounds.widen_steps[p];
      }
      choice.gemm = SelectGemm({shapes, products}, isas);
      if (choice.gemm.decoder == nullptr || choice.gemm.kernel->weight_bits != 8) continue;
    }
    const GemmKernel& kernel = *choice.gemm.kernel;
    if (source.k % static_cast<size_t>(kernel.kr) != 0) continue;
    size_t cost = 0;
    for (size_t p = 0; p < products; ++p) {
      GemmChoice product = choice.gemm;
      product.widen_steps = choice.widen_steps[p] = WidenSteps(kernel, shapes[p]);
      cost += GemmCost(product, shapes[p]);
    }
    choice.cost = WithCacheMisses(cost) + TransformCost(t, g, kernel);
    if (best.transforms == nullptr || choice.cost <= best.cost) best = choice;
  }
  return best;
}

}  // namespace aq
