// SPDX-License-Identifier: Apache-2.0
// See requantize_sums.h. Runs once per layer at load; plain integers.
#include "kernels/depthwise/requantize_sums.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/depthwise/sum_order.h"

namespace aq {
namespace {

constexpr int kHalf = 16;  // bits of `low`, the product's that are dropped first

// One channel: the layer's numbers, and what its sums start from.
struct Channel {
  Scaling scaling;
  SumRange range;
  int32_t bias = 0, in_sums = 0;
};

struct Constants {
  int32_t low = 0, high = 0, shift = 0;
  int64_t offset = 0;
  bool is_exact = false;
};

// The layer's output; `up` is what the one border adds to every value, or nothing.
struct Output {
  SumForm form;
  Rounding rounding;
  int32_t up = 0;
};

Scaling ScalingOf(const Requantize& rq, size_t channel) {
  const int32_t left = rq.left_shift[channel], right = rq.right_shift[channel];  // numerics.h: LeftShift, RightShift
  return {.multiplier = rq.multiplier[channel], .shift = left > 0 ? 1 - left : right + 1, .offset = rq.offset[channel]};
}

bool HasOneBorder(const Requantize& rq) {
  const int last = (rq.max_level - 1) >> rq.border_shift;  // the top level has no fraction
  return std::all_of(rq.border, rq.border + last + 1, [&](uint8_t border) { return border == rq.border[0]; });
}

Output OutputOf(const Requantize& rq) {
  Output output{.form = SumForm::kNone, .rounding = {}};
  if (rq.is_wide || rq.residual_ratio != nullptr || rq.multiplier == nullptr) return output;
  if (rq.acc_thresholds != nullptr) {
    output.form = SumForm::kThresholds;
  } else if (rq.v_thresholds == nullptr) {
    output.rounding.bits = rq.max_level == MaxLevel(2) ? 2 : rq.max_level == MaxLevel(4) ? 4 : 8;
    std::memcpy(output.rounding.border, rq.border, sizeof(rq.border));
    output.form = HasOneBorder(rq) ? SumForm::kClamp : SumForm::kBorder;
    if (output.form == SumForm::kClamp) output.up = MaxLevel(kFractionBits) - rq.border[0];
  }
  return output;
}

// The most precise constants that fit, or false. Exact when they hold the multiplier and the offset as they are.
bool FindConstants(const Channel& channel, const Output& output, Constants* constants) {
  const Scaling& s = channel.scaling;
  const int64_t rest = int64_t{channel.bias} - channel.in_sums, addend = int64_t{s.offset} + output.up;
  const int64_t top =
      std::max(std::abs(channel.range.low + channel.in_sums), std::abs(channel.range.high + channel.in_sums));
  constexpr int64_t kLimit = int64_t{1} << 31;
  for (int dropped = 0; dropped <= 31 + s.shift - kHalf; ++dropped) {
    const int shift = 31 + s.shift - kHalf - dropped;
    const int32_t multiplier = s.multiplier >> dropped;
    // 64 bits: near 2^31 the sum leaves 32.
    const int32_t high = static_cast<int32_t>((int64_t{multiplier} + (1 << (kHalf - 1))) >> kHalf);
    if (high > INT16_MAX || (addend != 0 && (shift > 31 || std::abs(addend) >> (31 - shift) != 0))) continue;
    const int64_t offset =
        addend * (int64_t{1} << std::min(shift, 31)) + MultiplyFloor(rest, s.multiplier, kHalf + dropped - 31);
    if (std::abs(offset) + (top * multiplier >> kHalf) + 2 >= kLimit) continue;
    const int extra = output.form == SumForm::kClamp ? kFractionBits : 0;
    *constants = {.low = multiplier - high * (1 << kHalf),
                  .high = high,
                  .shift = std::min(shift + extra, 31),
                  .offset = offset,
                  .is_exact = dropped == 0 && rest == 0};
    return true;
  }
  return false;
}

// What a kernel computes.
int32_t CodeByConstants(int32_t sum, const Constants& constants, const Output& output) {
  const int64_t low = (int64_t{sum} * constants.low) >> kHalf;
  const int64_t v = (int64_t{sum} * constants.high + low + constants.offset) >> constants.shift;
  return output.form == SumForm::kClamp ? Clamp(v, 0, MaxLevel(output.rounding.bits)) : QuantizeOne(v, output.rounding);
}

// Both are non-decreasing in the sum, so they are equal if they are where the code of numerics.h changes.
bool GivesAllCodes(const Channel& channel, const Constants& constants, const Output& output) {
  const int32_t low = channel.range.low + channel.bias, high = channel.range.high + channel.bias;
  const auto code = [&](int64_t acc) {
    return CodeByConstants(static_cast<int32_t>(acc - channel.bias) + channel.in_sums, constants, output);
  };
  const int32_t first = RequantizeOne(low, channel.scaling, output.rounding);
  const int32_t last = RequantizeOne(high, channel.scaling, output.rounding);
  if (code(low) != first || code(high) != last) return false;
  for (int32_t level = first; level < last; ++level) {
    const int64_t above = AccumulatorThreshold(level, channel.scaling, output.rounding, nullptr, low, high);
    if (code(above) <= level || code(above - 1) > level) return false;
  }
  return true;
}

bool ProveConstants(const Channel& channel, const Output& output, Constants* constants) {
  if (!FindConstants(channel, output, constants)) return false;
  if (constants->is_exact || GivesAllCodes(channel, *constants, output)) return true;
  ++constants->offset;  // what was dropped may carry
  return GivesAllCodes(channel, *constants, output);
}

// The arrays of one block.
struct Block {
  int16_t *low, *high;
  int32_t *offset, *shift;
};
constexpr size_t kScaleBytes = 3 * sizeof(int16_t) + 2 * sizeof(int32_t);  // of a channel
size_t BlockBytes(SumForm form, const SumOrder& order) {
  return order.block * (form == SumForm::kThresholds ? kThresholds * sizeof(int16_t) : kScaleBytes);
}
Block BlockAt(uint8_t* memory, const SumOrder& order) {
  int16_t* low = reinterpret_cast<int16_t*>(memory);
  int32_t* offset = reinterpret_cast<int32_t*>(low + 3 * order.block);
  return {low, low + order.block, offset, offset + order.block};
}

}  // namespace

size_t SumRequantizeBytes(const DepthwiseKernel& kernel, size_t channels) {
  return kernel.sums_in_int16 ? (channels + kChannelPad - 1) / kChannelPad * kChannelPad * kScaleBytes : 0;
}

SumRequantize PrepareSumRequantize(const WeightSource& source, int32_t max_code, const int32_t* bias,
                                   const Requantize& rq, const DepthwiseKernel& kernel, void* memory) {
  const SumOrder& order = kernel.order;
  uint8_t* const blocks = static_cast<uint8_t*>(memory);
  const Output output = OutputOf(rq);
  if (!kernel.sums_in_int16 || output.form == SumForm::kNone) return {};
  std::memset(blocks, 0, SumRequantizeBytes(kernel, source.n));
  for (size_t i = 0; i < source.n; ++i) {
    Channel channel{.scaling = ScalingOf(rq, i), .range = RangeOfSums(source, i, max_code), .bias = bias[i]};
    channel.in_sums = BiasInSums(channel.range, channel.bias);
    uint8_t* const block = blocks + i / order.block * BlockBytes(output.form, order);
    const size_t in_block = i % order.block;
    if (output.form == SumForm::kThresholds) {
      for (size_t level = 0; level < kThresholds; ++level) {
        const int64_t threshold =
            int64_t{rq.acc_thresholds[level * rq.n_padded + i]} - (int64_t{channel.bias} - channel.in_sums);
        reinterpret_cast<int16_t*>(block)[level * order.block + PlaceInSums(order, in_block)] =
            static_cast<int16_t>(Clamp(threshold, INT16_MIN, INT16_MAX));
      }
      continue;
    }
    Constants constants;
    if (!ProveConstants(channel, output, &constants)) return {};
    const Block to = BlockAt(block, order);
    const size_t product = PlaceInProducts(order, in_block);
    to.low[PlaceInSums(order, in_block)] = static_cast<int16_t>(constants.low);
    to.high[PlaceInPairs(order, product, 0)] = static_cast<int16_t>(constants.high);
    to.high[PlaceInPairs(order, product, 1)] = 1;
    to.offset[product] = static_cast<int32_t>(constants.offset);
    to.shift[product] = constants.shift;
  }
  return {output.form, blocks};
}

}  // namespace aq
