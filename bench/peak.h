// SPDX-License-Identifier: Apache-2.0
// Measured limits of this core: how many multiply-adds a second the instructions of each ISA give when nothing else is
// asked of it, and how fast it reads memory. `aq_bench --peak` prints them; --layers gives kernels in percent of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "platforms/cpu.h"

namespace aq::bench {

// Which products of activations and weights a sequence of instructions bounds: exact ones of 8 by 8 bits need 16-bit
// factors on AVX2 (wide), with fewer bits byte products fit (narrow).
enum class Bounds { kNone, kWide, kNarrow, kAll };

struct PeakKernel {
  Isa isa;
  const char* name;
  double macs;  // per step
  Bounds bounds;
  void (*run)(size_t steps);
};

inline constexpr size_t kPeakSteps = 10000;  // one run: some 20 microseconds

// The rows of peak.inc that `isas` has, oldest first.
std::vector<PeakKernel> PeakKernels(IsaSet isas);
// The limit of the direct product with these bits on this ISA.
PeakKernel BoundOf(Isa isa, int weight_bits, int activation_bits);

struct PeakRate {
  PeakKernel kernel;
  double median = 0, best = 0;  // GMAC/s
};
struct ReadRate {
  std::string level;  // "L1"
  size_t bytes = 0;
  double median = 0, best = 0;  // GB/s
};
struct Peaks {
  std::vector<PeakRate> rates;
  std::vector<ReadRate> reads;
};
std::vector<PeakRate> MeasureRates(IsaSet isas, int runs);
std::vector<ReadRate> MeasureReads(IsaSet isas, int runs);
// format: md or json.
std::string ReportPeaks(const Peaks& peaks, const std::string& format);

}  // namespace aq::bench
