// SPDX-License-Identifier: Apache-2.0
// Implements kernel_benchmarks.h. Operands are made up: no kernel's speed depends on their values.
#include "bench/kernel_benchmarks.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/depthwise/requantize_sums.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/pairs.h"
#include "kernels/requantize/prepare.h"
#include "platforms/memory.h"

namespace aq::bench {
namespace {

constexpr size_t kTaps = 9;
constexpr size_t kDepth = 256;     // input channels of a tile
constexpr size_t kWidenSteps = 8;  // of tiles that sum in int16: what w4a8 needs
constexpr size_t kChannels = 256;  // of depthwise and row functions

AlignedBlock Bytes(size_t size) {
  AlignedBlock block = AlignedBlock::Allocate(size + kReadSlack);
  uint32_t state = 1;
  for (size_t i = 0; i < size; ++i) {
    state = state * 1664525u + 1013904223u;
    block.data()[i] = static_cast<uint8_t>(state >> 28);  // 4 bits: exact for every kernel
  }
  return block;
}

// An 8-bit output: multiplier, zero offset, nearest borders.
class EightBitOutput {
 public:
  EightBitOutput() {
    RequantizeSource source;
    source.multiplier = multiplier_;
    source.shift = shift_;
    source.offset = offset_;
    source.ratio = source.residual_ratio = ratio_;
    accumulators_ = Prepare(source, &accumulator_memory_);
    source.is_addition = true;
    sums_ = Prepare(source, &sum_memory_);
  }
  const Requantize& of_accumulators() const { return accumulators_; }
  const Requantize& of_sums() const { return sums_; }

 private:
  static Requantize Prepare(const RequantizeSource& source, AlignedBlock* memory) {
    *memory = AlignedBlock::Allocate(RequantizeBytes(source, kChannels));
    return PrepareRequantize(source, kChannels, memory->data());
  }

  const std::vector<int32_t> multiplier_{1 << 30}, offset_{0}, ratio_{2048};
  const std::vector<int8_t> shift_{4};
  AlignedBlock accumulator_memory_, sum_memory_;
  Requantize accumulators_, sums_;
};

void SetRate(benchmark::State& state, const char* name, double per_iteration) {
  state.counters[name] =
      benchmark::Counter(per_iteration * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// One full tile of a 3x3 convolution over 256 channels, requantised.
void RunGemm(benchmark::State& state, const GemmKernel& kernel) {
  const size_t mr = static_cast<size_t>(kernel.mr), nr = static_cast<size_t>(kernel.nr);
  const EightBitOutput output;
  const size_t activation_bytes = kernel.weight_bits == 16 ? 2 : 1;
  AlignedBlock activations = Bytes(kTaps * mr * kDepth * activation_bytes);
  for (size_t i = 0; LooksUp(kernel) && i < activations.size(); ++i) {
    activations.data()[i] = static_cast<uint8_t>(i << 4);  // any pairs
  }
  const AlignedBlock weights = Bytes(kTaps * kDepth * nr * static_cast<size_t>(kernel.weight_bits) / 8);
  AlignedBlock codes = AlignedBlock::Allocate(mr * nr);
  std::vector<const uint8_t*> rows;
  for (size_t i = 0; i < kTaps * mr; ++i) rows.push_back(activations.data() + i * kDepth * activation_bytes);
  const std::vector<int32_t> bias(nr);
  const int8_t codebook[16] = {0, 1, -2, -1, 0, 1, -2, -1, 0, 1, -2, -1, 0, 1, -2, -1};
  GemmTile tile;
  tile.rows = rows.data();
  tile.taps = kTaps;
  tile.k_padded = kDepth;
  tile.weights = weights.data();
  const PairTable pairs = MakePairTable(codebook);
  tile.codebook = codebook;
  tile.pairs = &pairs;
  tile.bias = bias.data();
  tile.requantize = &output.of_accumulators();
  tile.widen_steps = kWidenSteps;
  tile.m = kernel.mr;
  tile.columns = tile.stride = nr;
  tile.out[0] = codes.data();
  for (auto _ : state) {
    kernel.run(tile);
    benchmark::ClobberMemory();
  }
  SetRate(state, "GMAC/s", static_cast<double>(kTaps * kDepth * mr * nr));
}

// As many pixels of a 3x3 depthwise convolution as a tile takes.
void RunDepthwise(benchmark::State& state, const DepthwiseKernel& kernel) {
  const EightBitOutput output;
  const AlignedBlock activations = Bytes((kTaps + kDepthwisePixels) * kChannels);
  const AlignedBlock weights = Bytes((kTaps + 3) * kChannels * sizeof(int16_t));
  const std::vector<int32_t> bias(kChannels);
  AlignedBlock codes = AlignedBlock::Allocate(kDepthwisePixels * kChannels);
  std::vector<const uint8_t*> rows;
  for (size_t i = 0; i <= kTaps; ++i) rows.push_back(activations.data() + i % kTaps * kChannels);
  DepthwiseTile tile;
  tile.rows = rows.data();
  tile.step = kChannels;
  tile.slide = kernel.sums_in_int16 ? 1 : 0;
  for (size_t i = 0; i < 3; ++i) {
    tile.row_steps[i] = kChannels;
    tile.last[i] = rows[i];
  }
  tile.m = kDepthwisePixels;
  tile.taps = kTaps;
  tile.channels = kChannels;
  tile.weights = weights.data();
  tile.bias = bias.data();
  tile.requantize = &output.of_accumulators();
  const AlignedBlock of_sums = Bytes(SumRequantizeBytes(kernel, kChannels));
  if (kernel.sums_in_int16) tile.of_sums = {SumForm::kClamp, of_sums.data()};
  tile.out[0] = codes.data();
  for (auto _ : state) {
    kernel.run(tile);
    benchmark::ClobberMemory();
  }
  SetRate(state, "GMAC/s", static_cast<double>(kDepthwisePixels * kTaps * kChannels));
}

// Row functions on one row of 256 channels; `run` calls one of them.
struct RowOperands {
  EightBitOutput output;
  AlignedBlock a = Bytes(kChannels), b = Bytes(kChannels), out = AlignedBlock::Allocate(kChannels + kReadSlack);
  std::vector<int32_t> acc = std::vector<int32_t>(kChannels + kChannelPad, 1000);
  std::vector<const uint8_t*> rows = std::vector<const uint8_t*>(kTaps, a.data());
  std::vector<int32_t> sums = std::vector<int32_t>(kChannels + kChannelPad);
  uint8_t table[256] = {};
};
struct RowFunction {
  const char* name;
  void (*run)(const RowKernels& kernels, RowOperands* x);
};
constexpr RowFunction kRowFunctions[] = {
    {"requantize",
     [](const RowKernels& kernels, RowOperands* x) {
       kernels.requantize(x->acc.data(), 0, kChannels, x->output.of_accumulators(), nullptr, x->out.data());
     }},
    {"add",
     [](const RowKernels& kernels, RowOperands* x) {
       kernels.add(x->a.data(), x->b.data(), 0, kChannels, x->output.of_sums(), x->out.data());
     }},
    {"multiply",
     [](const RowKernels& kernels, RowOperands* x) {
       kernels.multiply(x->a.data(), x->b.data(), 1, 2, 0, kChannels, x->output.of_accumulators(), x->out.data());
     }},
    {"lookup", [](const RowKernels& kernels,
                  RowOperands* x) { kernels.lookup(x->a.data(), kChannels, x->table, x->out.data()); }},
    {"maximum", [](const RowKernels& kernels,
                   RowOperands* x) { kernels.maximum(x->rows.data(), kTaps, kChannels, x->out.data()); }},
    {"sum",
     [](const RowKernels& kernels, RowOperands* x) { kernels.sum(x->rows.data(), kTaps, kChannels, x->sums.data()); }},
};

void RunRow(benchmark::State& state, const RowKernels& kernels, const RowFunction& function) {
  RowOperands operands;
  for (auto _ : state) {
    function.run(kernels, &operands);
    benchmark::ClobberMemory();
  }
  SetRate(state, "Gcodes/s", kChannels);
}

void Register(IsaSet isas) {
  for (const GemmKernel& kernel : AllGemmKernels()) {
    if (!isas.Has(kernel.isa)) continue;
    benchmark::RegisterBenchmark((std::string("gemm/") + kernel.name).c_str(),
                                 [&kernel](benchmark::State& state) { RunGemm(state, kernel); });
  }
  for (const DepthwiseKernel& kernel : AllDepthwiseKernels()) {
    if (!isas.Has(kernel.isa)) continue;
    benchmark::RegisterBenchmark((std::string("depthwise/") + kernel.name).c_str(),
                                 [&kernel](benchmark::State& state) { RunDepthwise(state, kernel); });
  }
  for (const RowKernels& kernels : AllRowKernels()) {
    if (!isas.Has(kernels.isa)) continue;
    for (const RowFunction& function : kRowFunctions) {
      benchmark::RegisterBenchmark(
          (std::string("rows/") + kernels.name + "/" + function.name).c_str(),
          [&kernels, &function](benchmark::State& state) { RunRow(state, kernels, function); });
    }
  }
}

}  // namespace

extern "C" [[gnu::visibility("default")]] Status aq_run_kernel_benchmarks(const KernelBenchmarkOptions& options) {
  Register(options.isas);
  std::vector<std::string> arguments = {"aq_bench", "--benchmark_min_time=" + std::to_string(options.min_secs),
                                        std::string("--benchmark_format=") + (options.is_json ? "json" : "console"),
                                        "--benchmark_filter=" + (options.filter.empty() ? "." : options.filter)};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  if (benchmark::RunSpecifiedBenchmarks() > 0) return {};
  return Error(Code::kInvalidArgument, "no kernel matches %s", options.filter.c_str());
}

}  // namespace aq::bench
