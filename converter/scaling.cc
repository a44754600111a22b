// SPDX-License-Identifier: Apache-2.0
#include "converter/scaling.h"

#include <cmath>
#include <cstdlib>

#include "kernels/numerics.h"

namespace aq::converter {
namespace {

template <class T>
T At(const std::vector<T>& values, size_t channel) {
  return values.empty() ? T{} : values[values.size() == 1 ? 0 : channel];
}

Scaling ScalingAt(const schema::RequantizeT& rq, size_t channel) {
  return {At(rq.multiplier, channel), At(rq.shift, channel), At(rq.offset, channel), At(rq.ratio, channel),
          At(rq.residual_ratio, channel)};
}

Status ProveWeights(const IntegerModel& integer, const schema::OpT& op, const schema::WeightsT& weights) {
  const std::vector<uint8_t>& codes = integer.segments[weights.segment];
  const size_t channels = weights.bias.size(), per_channel = codes.size() * 8 / weights.bits / channels;
  const int max_code = MaxLevel(integer.Tensor(op.inputs[0]).bits);
  const int8_t* codebook = weights.codebook.empty() ? nullptr : weights.codebook.data();
  for (size_t n = 0; n < channels; ++n) {
    // Kernels may sum codes and zero points apart, so both count in full.
    AccumulatorBound bound;
    for (size_t i = 0; i < per_channel; ++i)
      bound.Add(DecodeWeight(CodeAt(codes.data(), n * per_channel + i, weights.bits), weights.bits, codebook),
                max_code);
    if (!weights.zero_point.empty())
      bound.sum += std::llabs(int64_t{weights.zero_point[n]} * static_cast<int64_t>(per_channel) * max_code);
    bound.sum += std::llabs(int64_t{weights.bias[n]});
    constexpr int64_t kLimit = int64_t{1} << 31;
    if (bound.sum >= kLimit)
      return Error(Code::kLimit, "%s: channel %zu: accumulators reach %lld, the limit is %lld", op.name.c_str(), n,
                   static_cast<long long>(bound.sum), static_cast<long long>(kLimit));
    for (const auto& rq : op.requantize) {
      const Scaling scaling = ScalingAt(*rq, n);
      if (!ScalingFits(bound.sum, scaling, op.inputs.size() > 1))
        return Error(
            Code::kLimit,
            "%s: channel %zu: accumulators up to %lld with shift %d do not fit 32 bits (output range too fine)",
            op.name.c_str(), n, static_cast<long long>(bound.sum), scaling.shift);
    }
  }
  return {};
}

}  // namespace

bool QuantizeMultiplier(double ratio, int32_t* multiplier, int8_t* shift) {
  if (!(ratio > 0) || !std::isfinite(ratio)) return false;
  int exponent;
  const double fraction = std::frexp(std::ldexp(ratio, kFractionBits), &exponent);  // in [0.5, 1)
  int64_t rounded = std::llround(std::ldexp(fraction, 31));
  if (rounded == int64_t{1} << 31) {
    rounded /= 2;
    ++exponent;
  }
  if (-exponent < kMinShift || -exponent > kMaxShift) return false;
  *multiplier = static_cast<int32_t>(rounded);
  *shift = static_cast<int8_t>(-exponent);
  return true;
}

bool QuantizeRatio(double ratio, int32_t* ratio_q12) {
  const double scaled = std::ldexp(ratio, kSumFractionBits);
  if (!(scaled >= 0) || scaled > (1 << 21)) return false;
  *ratio_q12 = static_cast<int32_t>(std::llround(scaled));
  return true;
}

Status ProveOpRanges(const IntegerModel& integer, const schema::OpT& op) {
  if (const schema::WeightsT* weights = WeightsOf(op)) return ProveWeights(integer, op, *weights);
  const schema::PoolT* pool = op.attributes.AsPool();
  const bool is_average = pool && pool->kind == schema::PoolKind::Average;
  if (!is_average && !op.attributes.AsMul()) return {};
  const int64_t bound = is_average ? int64_t{255} * pool->kernel_h * pool->kernel_w : int64_t{255} * 255;
  for (const auto& rq : op.requantize) {
    for (size_t i = 0; i < rq->multiplier.size(); ++i) {
      if (!ScalingFits(bound, ScalingAt(*rq, i), false))
        return Error(Code::kLimit,
                     "%s: accumulators up to %lld with shift %d do not fit 32 bits (output range too fine)",
                     op.name.c_str(), static_cast<long long>(bound), rq->shift[i]);
    }
  }
  return {};
}

Status ProveRanges(const IntegerModel& integer) {
  for (const auto& op : integer.model.ops) AQ_RETURN_IF_ERROR(ProveOpRanges(integer, *op));
  return {};
}

}  // namespace aq::converter
