// SPDX-License-Identifier: Apache-2.0
// Runs every layer at every pair of widths through our kernels, once each, between marks (layers.h). Weights and
// activations are zeros: no kernel's path depends on them. AQ_ISA picks the instruction set.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/arm_model/layers.h"
#include "kernels/depthwise/requantize_sums.h"
#include "kernels/gemm/convolve.h"
#include "kernels/gemm/pack.h"
#include "kernels/requantize/prepare.h"
#include "platforms/memory.h"

namespace {

using namespace aq;

struct Buffers {
  AlignedBlock input, out, pad_row, scratch, requantize_memory;
  Requantize requantize;

  Buffers(const ConvGeometry& g, int bits)
      : input(AlignedBlock::Allocate(size_t(g.in_h * g.in_w * g.in_c) + kReadSlack)),
        out(AlignedBlock::Allocate(size_t(g.out_h * g.out_w * g.out_c))),
        pad_row(AlignedBlock::Allocate(size_t(g.in_c) + kReadSlack)) {
    const size_t n = size_t(g.out_c);
    static const int32_t multiplier[1] = {1 << 30}, offset[1] = {0};
    static const int8_t shift[1] = {8};
    RequantizeSource source;
    source.multiplier = multiplier;
    source.offset = offset;
    source.shift = shift;
    source.rounding.bits = bits;
    source.want_acc_thresholds = bits == 2;
    const std::vector<int32_t> bound(n, 1 << 20);
    source.acc_bound = bound;
    requantize_memory = AlignedBlock::Allocate(RequantizeBytes(source, n));
    requantize = PrepareRequantize(source, n, requantize_memory.data());
  }
};

ConvGeometry GeometryOf(const Layer& layer) {
  ConvGeometry g;
  g.in_h = g.in_w = layer.size;
  g.in_c = layer.in_c;
  g.out_h = g.out_w = layer.out_size();
  g.out_c = layer.out_c;
  g.kernel_h = g.kernel_w = layer.kernel;
  g.stride_h = g.stride_w = layer.stride;
  g.pad_top = g.pad_left = layer.kernel / 2;
  g.groups = layer.groups;
  return g;
}

void RunDense(const Layer& layer, int weight_bits, int activation_bits, IsaSet isas, const char* isa,
              const char* bits) {
  const ConvGeometry g = GeometryOf(layer);
  Buffers b(g, activation_bits);
  const size_t n = size_t(g.out_c), taps = size_t(g.kernel_h * g.kernel_w), k = size_t(g.in_c);
  const int32_t max_weight = weight_bits == 8 ? 127 : 1 << (weight_bits - 1), max_code = MaxLevel(activation_bits);
  const GemmShape shape{.m = size_t(g.out_h * g.out_w),
                        .n = n,
                        .k = k,
                        .taps = taps,
                        .weight_bits = weight_bits,
                        .max_code = max_code,
                        .max_pair = 2 * max_weight * max_code,
                        .max_weight = max_weight};
  const GemmChoice choice = SelectGemm(shape, isas);
  const GemmKernel& kernel = *choice.kernel;
  const std::vector<uint8_t> codes(n * taps * k * size_t(weight_bits) / 8 + 8);
  const WeightSource source{.codes = codes.data(), .bits = weight_bits, .n = n, .taps = taps, .k = k};
  AlignedBlock packed = AlignedBlock::Allocate(PackedBytes(kernel, source));
  const size_t columns = PackedColumns(kernel, n);
  const std::vector<int32_t> bias(columns);
  const std::vector<int8_t> zero_points(columns * size_t(kernel.kr));
  Convolution c;
  c.geometry = g;
  c.kernel = &kernel;
  c.decoder = choice.decoder;
  c.widen_steps = choice.widen_steps;
  c.weight_bits = weight_bits;
  c.packed = packed.data();
  c.packed_group_bytes = packed.size();
  ExpandCodebook(weight_bits, nullptr, c.codebook);
  c.bias = bias.data();
  c.decode_zero_points = zero_points.data();
  c.requantize = &b.requantize;
  c.pad_row = b.pad_row.data();
  AlignedBlock scratch = AlignedBlock::Allocate(ConvolveScratchBytes(c));
  void* out[1] = {b.out.data()};
  const std::string who = std::string("aq ") + isa;
  Count(who.c_str(), bits, layer, kernel.name,
        [&] { Convolve(c, b.input.data(), nullptr, out, 0, shape.m, scratch.data()); });
}

void RunDepthwise(const Layer& layer, int weight_bits, int activation_bits, IsaSet isas, const char* isa,
                  const char* bits) {
  const ConvGeometry g = GeometryOf(layer);
  Buffers b(g, activation_bits);
  const size_t padded = (size_t(g.in_c) + kChannelPad - 1) / kChannelPad * kChannelPad;
  const DepthwiseKernel* kernel = SelectDepthwise(weight_bits < 8, isas);
  const std::vector<uint8_t> weights(DepthwiseWeightBytes(*kernel, size_t(g.kernel_h * g.kernel_w), size_t(g.in_c)));
  const std::vector<int32_t> bias(padded);
  Depthwise d;
  d.geometry = g;
  d.kernel = kernel;
  d.weights = weights.data();
  d.bias = bias.data();
  d.requantize = &b.requantize;
  const std::vector<uint8_t> of_sums(SumRequantizeBytes(*kernel, size_t(g.in_c)));
  if (kernel->sums_in_int16) d.of_sums = {SumForm::kClamp, of_sums.data()};
  d.pad_row = b.pad_row.data();
  AlignedBlock scratch = AlignedBlock::Allocate(DepthwiseScratchBytes(d));
  void* out[1] = {b.out.data()};
  const std::string who = std::string("aq ") + isa;
  Count(who.c_str(), bits, layer, d.kernel->name,
        [&] { DepthwiseConvolve(d, b.input.data(), nullptr, out, 0, size_t(g.out_h * g.out_w), scratch.data()); });
}

}  // namespace

int main(int argc, char** argv) {
  IsaSet isas;
  std::string error;
  if (argc != 2 || !LimitIsas(argv[1], DetectIsas(), &isas, &error)) {
    std::fprintf(stderr, "aq_guest ISA: %s\n", error.c_str());
    return 2;
  }
  constexpr struct {
    const char* name;
    int weights, activations;
  } kWidths[] = {{"W8A8", 8, 8}, {"W4A8", 4, 8}, {"W2A8", 2, 8}, {"W4A4", 4, 4}, {"W2A4", 2, 4}, {"W2A2", 2, 2}};
  for (const Layer& layer : kLayers) {
    for (const auto& w : kWidths) {
      if (layer.groups > 1) {
        RunDepthwise(layer, w.weights, w.activations, isas, argv[1], w.name);
      } else if (layer.in_c > 3 || w.activations == 8) {  // the first layer reads pixels
        RunDense(layer, w.weights, w.activations, isas, argv[1], w.name);
      }
    }
  }
  return 0;
}
