// SPDX-License-Identifier: Apache-2.0
// Builds the per-channel arrays of requantize.h. All decisions that depend on one channel are taken here, at load, so
// that the row loop is straight-line code.
#include "kernels/requantize/prepare.h"

#include <algorithm>
#include <cstring>

namespace aq {
namespace {

// Rows are read sixteen columns at a time from any first channel, so the last block may start at channel n - 1.
size_t PaddedChannels(size_t n) { return (n + 15 + kChannelPad - 1) / kChannelPad * kChannelPad; }

template <class T>
T Entry(std::span<const T> values, size_t channel, T absent) {
  return values.empty() ? absent : values[values.size() == 1 ? 0 : channel];
}

bool WantsAccThresholds(const RequantizeSource& source) {
  return source.want_acc_thresholds && source.rounding.bits == 2 && !source.has_residual && !source.is_addition;
}

// floor((v + 255 - border) / 256) is the code when all levels have one border.
bool WantsCodes(const RequantizeSource& source) {
  const uint8_t* border = source.rounding.border;
  return source.rounding.bits == 8 && !source.has_residual && !source.is_addition && source.thresholds.empty() &&
         std::all_of(border, border + kBorderEntries, [&](uint8_t b) { return b == border[0]; });
}

// v + 255 - border in units of 2^32 / 2^(31 + shift), whose floor loses nothing; false where it would.
bool FindCodes(const Scaling& s, uint8_t border, int32_t* offset, int32_t* shift) {
  constexpr int64_t kLimit = int64_t{1} << 30;  // beside a product's high half, which is below that
  const int64_t up = int64_t{s.offset} + MaxLevel(kFractionBits) - border;
  const int left = s.shift - 1;
  const int64_t scaled = left >= 0 ? up << left : up >> -left;
  *offset = static_cast<int32_t>(scaled);
  *shift = left + kFractionBits;
  const bool is_exact = left >= 0 || up % (int64_t{1} << -left) == 0;
  return is_exact && scaled < kLimit && scaled > -kLimit && *shift >= 0 && *shift < 32;
}

size_t ArrayCount(const RequantizeSource& source) {
  size_t count = 1;  // offset
  count += source.is_addition ? 1 : 3;
  count += source.is_addition || source.has_residual ? 1 : 0;
  count += WantsAccThresholds(source) ? kThresholds : 0;
  count += WantsCodes(source) ? 2 : 0;
  count += source.thresholds.empty() ? 0 : kThresholds;
  return count;
}

}  // namespace

Scaling RequantizeSource::At(size_t channel) const {
  const Scaling none;
  return {.multiplier = Entry(multiplier, channel, none.multiplier),
          .shift = Entry(shift, channel, static_cast<int8_t>(none.shift)),
          .offset = Entry(offset, channel, none.offset),
          .ratio = Entry(ratio, channel, none.ratio),
          .residual_ratio = Entry(residual_ratio, channel, none.residual_ratio)};
}

size_t RequantizeBytes(const RequantizeSource& source, size_t n) {
  return ArrayCount(source) * PaddedChannels(n) * sizeof(int32_t);
}

Requantize PrepareRequantize(const RequantizeSource& source, size_t n, void* memory) {
  Requantize rq;
  rq.n_padded = PaddedChannels(n);
  rq.is_wide = source.rounding.bits == 32;
  if (!rq.is_wide) {
    rq.max_level = MaxLevel(source.rounding.bits);
    rq.border_shift = BorderShift(source.rounding.bits);
  }
  std::memcpy(rq.border, source.rounding.border, sizeof(rq.border));

  int32_t* next = static_cast<int32_t*>(memory);
  const auto allot = [&](size_t arrays) {
    int32_t* array = next;
    next += arrays * rq.n_padded;
    return array;
  };
  const bool sums_branches = source.is_addition || source.has_residual;
  int32_t* offset = allot(1);
  int32_t* ratio = source.is_addition ? allot(1) : nullptr;
  int32_t* multiplier = source.is_addition ? nullptr : allot(1);
  int32_t* left_shift = source.is_addition ? nullptr : allot(1);
  int32_t* right_shift = source.is_addition ? nullptr : allot(1);
  int32_t* residual_ratio = sums_branches ? allot(1) : nullptr;
  int32_t* acc_thresholds = WantsAccThresholds(source) ? allot(kThresholds) : nullptr;
  int32_t* v_thresholds = source.thresholds.empty() ? nullptr : allot(kThresholds);
  int32_t* code_offset = WantsCodes(source) ? allot(1) : nullptr;
  int32_t* code_shift = WantsCodes(source) ? allot(1) : nullptr;
  bool makes_codes = code_offset != nullptr;

  for (size_t i = 0; i < rq.n_padded; ++i) {
    const size_t channel = std::min(i, n - 1);  // padding repeats the last channel
    const Scaling s = source.At(channel);
    int64_t sum_offset = s.offset;
    if (sums_branches) {
      sum_offset = (sum_offset << kSumExtraBits) - int64_t{source.residual_zero_point} * s.residual_ratio;
      residual_ratio[i] = s.residual_ratio;
    }
    if (source.is_addition) {
      sum_offset -= int64_t{source.zero_point_a} * s.ratio;
      ratio[i] = s.ratio;
    } else {
      const int shift = source.has_residual ? s.shift - kSumExtraBits : s.shift;
      multiplier[i] = s.multiplier;
      left_shift[i] = LeftShift(shift);
      right_shift[i] = RightShift(shift);
    }
    offset[i] = static_cast<int32_t>(sum_offset);
    makes_codes = makes_codes && FindCodes(s, rq.border[0], &code_offset[i], &code_shift[i]);
    const uint16_t* thresholds = source.thresholds.empty() ? nullptr : &source.thresholds[channel * kThresholds];
    for (size_t level = 0; level < kThresholds; ++level) {
      if (v_thresholds != nullptr) v_thresholds[level * rq.n_padded + i] = thresholds[level];
      if (acc_thresholds == nullptr) continue;
      if (i >= n) {
        acc_thresholds[level * rq.n_padded + i] = acc_thresholds[level * rq.n_padded + n - 1];
        continue;
      }
      const int32_t bound = Entry(source.acc_bound, channel, INT32_MAX);
      const int64_t first =
          AccumulatorThreshold(static_cast<int>(level), s, source.rounding, thresholds, -bound, bound);
      acc_thresholds[level * rq.n_padded + i] = static_cast<int32_t>(first - 1);  // code = count(acc > threshold)
    }
  }
  rq.offset = offset;
  rq.ratio = ratio;
  rq.multiplier = multiplier;
  rq.left_shift = left_shift;
  rq.right_shift = right_shift;
  rq.residual_ratio = residual_ratio;
  rq.acc_thresholds = acc_thresholds;
  rq.v_thresholds = v_thresholds;
  rq.code_offset = makes_codes ? code_offset : nullptr;
  rq.code_shift = makes_codes ? code_shift : nullptr;
  return rq;
}

}  // namespace aq
