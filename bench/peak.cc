// SPDX-License-Identifier: Apache-2.0
// Implements peak.h.
#include "bench/peak.h"

#include <algorithm>
#include <cassert>
#include <functional>

#include "bench/cpu_clock.h"
#include "bench/peak_kernels.h"
#include "bench/statistics.h"
#include "runtime/include/aq/aq.h"
#include "tools/json.h"

namespace aq::bench {
namespace {

using tools::Format;
using tools::JsonString;

constexpr PeakKernel kKernels[] = {
#define AQ_PEAK(isa, Enum, id, name, macs, bounds) {Isa::Enum, name, macs, Bounds::bounds, peak_##isa##_##id},
#include "bench/peak.inc"
#undef AQ_PEAK
};

struct Level {
  const char* name;
  size_t bytes;
};
constexpr Level kLevels[] = {{"L1", size_t{16} << 10}, {"L2", size_t{512} << 10}, {"DRAM", size_t{256} << 20}};
constexpr size_t kBytesPerRun = size_t{4} << 20;

struct Rate {
  double median = 0, best = 0;
};

// `amount` per nanosecond is 10^9 per second.
Rate RateOf(double amount, int runs, const std::function<void()>& run) {
  run();  // warms caches and clock
  std::vector<uint64_t> times;
  for (int i = 0; i < runs; ++i) {
    const uint64_t begin = ThreadNanoseconds();
    run();
    times.push_back(std::max<uint64_t>(1, ThreadNanoseconds() - begin));
  }
  const Statistics statistics = Summarize(times);
  return {amount / (statistics.median * 1e6), amount / (statistics.min * 1e6)};
}

ReadRate MeasureRead(const Level& level, [[maybe_unused]] IsaSet isas, int runs) {
  const std::vector<uint8_t> memory(level.bytes + 64, 1);
  const size_t passes = std::max<size_t>(1, kBytesPerRun / level.bytes);
  const Rate rate = RateOf(static_cast<double>(passes * level.bytes), runs, [&] {
    for (size_t i = 0; i < passes; ++i) {
#if defined(AQ_PEAK_avx2)
      if (isas.Has(Isa::kAvx2)) {
        read_avx2(memory.data(), level.bytes);
        continue;
      }
#endif
      read_scalar(memory.data(), level.bytes);
    }
  });
  return {level.name, level.bytes, rate.median, rate.best};
}

std::string Markdown(const Peaks& peaks) {
  std::string text = "| isa | instructions | GMAC/s median | best |\n|---|---|---:|---:|\n";
  for (const PeakRate& rate : peaks.rates) {
    text += Format("| %s | %s | %.1f | %.1f |\n", IsaName(rate.kernel.isa), rate.kernel.name, rate.median, rate.best);
  }
  text += "\n| reading | KiB | GB/s median | best |\n|---|---:|---:|---:|\n";
  for (const ReadRate& read : peaks.reads) {
    text += Format("| %s | %zu | %.1f | %.1f |\n", read.level.c_str(), read.bytes >> 10, read.median, read.best);
  }
  return text;
}

std::string Json(const Peaks& peaks) {
  std::string text = "{\n  \"cpu\": " + JsonString(aq_cpu_name()) + ",\n  \"peaks\": [";
  const char* separator = "\n";
  for (const PeakRate& rate : peaks.rates) {
    text += Format("%s    {\"isa\": \"%s\", \"name\": \"%s\", \"gmac_per_s\": %.3f, \"best_gmac_per_s\": %.3f}",
                   separator, IsaName(rate.kernel.isa), rate.kernel.name, rate.median, rate.best);
    separator = ",\n";
  }
  text += "\n  ],\n  \"reads\": [";
  separator = "\n";
  for (const ReadRate& read : peaks.reads) {
    text += Format("%s    {\"level\": \"%s\", \"bytes\": %zu, \"gb_per_s\": %.3f, \"best_gb_per_s\": %.3f}", separator,
                   read.level.c_str(), read.bytes, read.median, read.best);
    separator = ",\n";
  }
  return text + "\n  ]\n}\n";
}

}  // namespace

std::vector<PeakKernel> PeakKernels(IsaSet isas) {
  std::vector<PeakKernel> kernels;
  for (const PeakKernel& kernel : kKernels) {
    if (isas.Has(kernel.isa)) kernels.push_back(kernel);
  }
  return kernels;
}

PeakKernel BoundOf(Isa isa, int weight_bits, int activation_bits) {
  const Bounds wanted = weight_bits + activation_bits > 15 ? Bounds::kWide : Bounds::kNarrow;
  PeakKernel bound = kKernels[0];
  for (const PeakKernel& kernel : kKernels) {
    if (kernel.isa == isa && (kernel.bounds == wanted || kernel.bounds == Bounds::kAll)) bound = kernel;
  }
  return bound;
}

std::vector<PeakRate> MeasureRates(IsaSet isas, int runs) {
  std::vector<PeakRate> rates;
  for (const PeakKernel& kernel : PeakKernels(isas)) {
    const Rate rate = RateOf(kernel.macs * static_cast<double>(kPeakSteps), runs, [&] { kernel.run(kPeakSteps); });
    rates.push_back({kernel, rate.median, rate.best});
  }
  return rates;
}

std::vector<ReadRate> MeasureReads(IsaSet isas, int runs) {
  std::vector<ReadRate> reads;
  for (const Level& level : kLevels) reads.push_back(MeasureRead(level, isas, runs));
  return reads;
}

std::string ReportPeaks(const Peaks& peaks, const std::string& format) {
  return format == "json" ? Json(peaks) : Markdown(peaks);
}

}  // namespace aq::bench
