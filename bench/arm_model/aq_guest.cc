// SPDX-License-Identifier: Apache-2.0
// Runs every layer at every pair of widths through our kernels, once each, between marks (layers.h), 3x3 layers also by
// Winograd. Activations are zeros: no kernel's path depends on them. AQ_ISA picks the instruction set.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/arm_model/layers.h"
#include "kernels/depthwise/requantize_sums.h"
#include "kernels/gemm/convolve.h"
#include "kernels/gemm/pack.h"
#include "kernels/requantize/prepare.h"
#include "kernels/winograd/select.h"
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

// Weights any layer could have: how long sums may stay narrow depends on them.
std::vector<uint8_t> RandomCodes(size_t bytes) {
  std::vector<uint8_t> codes(bytes);
  uint32_t state = 1;
  for (uint8_t& code : codes) code = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return codes;
}

// A convolution with its buffers, directly or by Winograd.
class Dense {
 public:
  Dense(const Layer& layer, int weight_bits, int activation_bits)
      : g_(GeometryOf(layer)),
        buffers_(g_, activation_bits),
        codes_(RandomCodes(size_t(g_.out_c * g_.kernel_h * g_.kernel_w * g_.in_c * weight_bits) / 8 + 8)),
        source_{.codes = codes_.data(),
                .bits = weight_bits,
                .n = size_t(g_.out_c),
                .taps = size_t(g_.kernel_h * g_.kernel_w),
                .k = size_t(g_.in_c)},
        max_code_(MaxLevel(activation_bits)) {}

  GemmChoice ChooseDirect(IsaSet isas) const {
    const int32_t max_weight = source_.bits == 8 ? 127 : 1 << (source_.bits - 1);
    return SelectGemm({.m = size_t(g_.out_h * g_.out_w),
                       .n = source_.n,
                       .k = source_.k,
                       .taps = source_.taps,
                       .weight_bits = source_.bits,
                       .max_code = max_code_,
                       .max_pair = 2 * max_weight * max_code_,
                       .max_weight = max_weight},
                      isas);
  }
  WinogradChoice ChooseWinograd(IsaSet isas) const { return SelectWinograd(g_, source_, max_code_, 1 << 20, isas); }

  void Prepare(const GemmChoice& choice) {
    const GemmKernel& kernel = *choice.kernel;
    const size_t columns = PackedColumns(kernel, source_.n);
    packed_ = AlignedBlock::Allocate(PackedBytes(kernel, source_));
    bias_.resize(columns * kMaxWinogradOut * kMaxWinogradOut);
    zero_points_.resize(columns * size_t(kernel.kr));
    Convolution& c = winograd_.layer;
    c.geometry = g_;
    c.kernel = &kernel;
    c.decoder = choice.decoder;
    c.widen_steps = choice.widen_steps;
    c.weight_bits = source_.bits;
    c.packed = packed_.data();
    c.packed_group_bytes = packed_.size();
    ExpandCodebook(source_.bits, nullptr, c.codebook);
    c.bias = winograd_.bias = bias_.data();
    c.decode_zero_points = zero_points_.data();
    c.requantize = &buffers_.requantize;
    c.pad_row = buffers_.pad_row.data();
  }
  void Prepare(const WinogradChoice& choice) {
    source_.whole_taps = true;
    Prepare(choice.gemm);
    winograd_.transforms = choice.transforms;
    std::copy_n(choice.widen_steps, kMaxWinogradProducts, winograd_.widen_steps);
  }

  void Run(const std::string& who, const char* bits, const Layer& layer) {
    void* out[1] = {buffers_.out.data()};
    const bool is_direct = winograd_.transforms == nullptr;
    AlignedBlock scratch =
        AlignedBlock::Allocate(is_direct ? ConvolveScratchBytes(winograd_.layer) : WinogradScratchBytes(winograd_));
    const char* name = is_direct ? winograd_.layer.kernel->name : winograd_.transforms->name;
    Count(who.c_str(), bits, layer, name, [&] {
      if (is_direct) {
        Convolve(winograd_.layer, buffers_.input.data(), nullptr, out, 0, size_t(g_.out_h * g_.out_w), scratch.data());
      } else {
        WinogradPart(winograd_, buffers_.input.data(), nullptr, out, {.m_end = WinogradWindows(winograd_)},
                     scratch.data());
      }
    });
  }

 private:
  ConvGeometry g_;
  Buffers buffers_;
  std::vector<uint8_t> codes_;
  WeightSource source_;
  int32_t max_code_;
  AlignedBlock packed_;
  std::vector<int32_t> bias_;
  std::vector<int8_t> zero_points_;
  Winograd winograd_;
};

void RunDense(const Layer& layer, int weight_bits, int activation_bits, IsaSet isas, const std::string& who,
              const char* bits) {
  Dense direct(layer, weight_bits, activation_bits);
  direct.Prepare(direct.ChooseDirect(isas));
  direct.Run(who, bits, layer);
  Dense fast(layer, weight_bits, activation_bits);
  const WinogradChoice choice = fast.ChooseWinograd(isas);
  if (choice.transforms == nullptr) return;
  fast.Prepare(choice);
  fast.Run(who + ", Winograd", bits, layer);
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
        RunDense(layer, w.weights, w.activations, isas, std::string("aq ") + argv[1], w.name);
      }
    }
  }
  return 0;
}
