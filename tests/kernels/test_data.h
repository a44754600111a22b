// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share: seeded random numbers, buffers that end at an unreadable page, random requantisations.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "kernels/requantize/prepare.h"
#include "platforms/memory.h"

namespace aq {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int64_t Between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine_); }
  int Int(int low, int high) { return static_cast<int>(Between(low, high)); }
  uint8_t Byte(int high) { return static_cast<uint8_t>(Int(0, high)); }
  bool OneIn(int n) { return Int(1, n) == 1; }

 private:
  std::mt19937 engine_;
};

// `size` bytes whose end, after `slack` readable bytes of 0xFF, is the start of an unreadable page.
class GuardedBuffer {
 public:
  GuardedBuffer(size_t size, size_t slack) : size_(size) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    readable_ = (size + slack + page - 1) / page * page;
    base_ = static_cast<uint8_t*>(
        mmap(nullptr, readable_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) std::abort();
    if (mprotect(base_ + readable_, page, PROT_NONE) != 0) std::abort();
    mapped_ = readable_ + page;
    data_ = base_ + readable_ - size - slack;
    std::memset(base_, 0xFF, readable_);
  }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;
  ~GuardedBuffer() { munmap(base_, mapped_); }
  void MakeReadOnly() { mprotect(base_, readable_, PROT_READ); }
  uint8_t* data() { return data_; }
  size_t size() const { return size_; }

 private:
  size_t size_, readable_ = 0, mapped_ = 0;
  uint8_t* base_ = nullptr;
  uint8_t* data_ = nullptr;
};

// A random requantisation of n channels that spreads accumulators of the given bounds over the output's codes.
struct RandomRequantize {
  struct Options {
    int bits = 8;
    bool has_residual = false, is_addition = false, is_per_channel = true;
    bool has_thresholds = false, want_acc_thresholds = false;
  };
  RequantizeSource source;
  Requantize prepared;

  RandomRequantize(Random& random, size_t n, const std::vector<int32_t>& bounds, const Options& options)
      : bounds_(bounds) {
    const size_t entries = options.is_per_channel ? n : 1;
    const int top = options.bits == 32 ? 1 << 20 : MaxLevel(options.bits) << kFractionBits;
    const int zero_point = options.bits == 32 ? 0 : random.Int(0, MaxLevel(options.bits));
    for (size_t i = 0; i < entries; ++i) {
      const int32_t bound =
          options.is_per_channel ? bounds[i % bounds.size()] : *std::max_element(bounds.begin(), bounds.end());
      Scaling s;
      // Often next to 2^31, where rounding it up leaves int32.
      s.multiplier = static_cast<int32_t>(random.Between(random.OneIn(4) ? INT32_MAX - (1 << 15) : 1 << 30, INT32_MAX));
      s.offset = (zero_point << kFractionBits) + random.Int(-300, 300);
      s.ratio = random.Int(0, 3 << kSumFractionBits) * (options.bits == 8 ? 16 : 1);
      s.residual_ratio = random.Int(0, 3 << kSumFractionBits) * (options.bits == 8 ? 16 : 1);
      s.shift = kMinShift;
      const int64_t spread = int64_t{top} * random.Int(1, 4);
      while (s.shift < kMaxShift &&
             (!ScalingFits(bound, s, options.has_residual) || MultiplyFloor(bound, s.multiplier, s.shift) > spread)) {
        ++s.shift;
      }
      multiplier_.push_back(s.multiplier);
      shift_.push_back(static_cast<int8_t>(s.shift));
      offset_.push_back(s.offset);
      ratio_.push_back(s.ratio);
      residual_ratio_.push_back(s.residual_ratio);
    }
    source.rounding.bits = options.bits;
    for (uint8_t& border : source.rounding.border) {
      border = random.OneIn(4) ? (random.OneIn(2) ? uint8_t{0} : uint8_t{255}) : random.Byte(255);
    }
    if (random.OneIn(3)) std::fill_n(source.rounding.border, kBorderEntries, source.rounding.border[0]);
    if (options.has_thresholds) {
      for (size_t i = 0; i < n * kThresholds; ++i) thresholds_.push_back(static_cast<uint16_t>(random.Int(0, 800)));
      for (size_t i = 0; i < n; ++i)
        std::sort(&thresholds_[i * kThresholds], &thresholds_[i * kThresholds] + kThresholds);
    }
    source.has_residual = options.has_residual;
    source.is_addition = options.is_addition;
    source.want_acc_thresholds = options.want_acc_thresholds;
    source.residual_zero_point = random.Int(0, 255);
    source.zero_point_a = random.Int(0, 255);
    source.multiplier = multiplier_;
    source.shift = shift_;
    source.offset = offset_;
    source.ratio = ratio_;
    source.residual_ratio = residual_ratio_;
    source.thresholds = thresholds_;
    source.acc_bound = bounds_;
    memory_ = AlignedBlock::Allocate(RequantizeBytes(source, n));
    prepared = PrepareRequantize(source, n, memory_.data());
  }
  RandomRequantize(const RandomRequantize&) = delete;

 private:
  std::vector<int32_t> bounds_;
  std::vector<int32_t> multiplier_, offset_, ratio_, residual_ratio_;
  std::vector<int8_t> shift_;
  std::vector<uint16_t> thresholds_;
  AlignedBlock memory_;
};

inline size_t OutputBytes(const Requantize& rq) { return rq.is_wide ? sizeof(int32_t) : 1; }
inline int32_t OutputAt(const Requantize& rq, const uint8_t* out, size_t i) {
  if (!rq.is_wide) return out[i];
  int32_t value;
  std::memcpy(&value, out + i * sizeof(value), sizeof(value));
  return value;
}

}  // namespace aq
