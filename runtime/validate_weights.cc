// SPDX-License-Identifier: Apache-2.0
// One pass over a layer's weights: lengths, and the proof that no accumulator or partial sum of a kernel leaves int32.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernels/gemm/weight_values.h"
#include "runtime/sizes.h"
#include "runtime/validate.h"

namespace aq {
namespace {

constexpr int64_t kInt32Limit = int64_t{1} << 31;

Status CheckLengths(const OpContext& op, const schema::Weights& weights, LayerShape shape) {
  const char* name = op.op.name;
  const int bits = weights.bits();
  if (bits != 2 && bits != 4 && bits != 8) {
    return Error(Code::kCorrupt, "op %s: weights of %d bits, expected 2, 4 or 8", name, bits);
  }
  const std::array<int32_t, 3> dims = {shape.n, shape.taps, shape.k};
  uint64_t bytes = 0;
  const uint64_t have = op.model.Segment(weights.segment()).size();
  if (!CheckedBytes(dims, static_cast<uint64_t>(bits), 1, &bytes) || bytes != have) {
    return Error(Code::kCorrupt, "op %s: segment %u has %llu bytes, %d x %d x %d weights of %d bits need %llu", name,
                 weights.segment(), static_cast<unsigned long long>(have), shape.n, shape.taps, shape.k, bits,
                 static_cast<unsigned long long>(bytes));
  }
  const size_t n = static_cast<size_t>(shape.n);
  if (weights.codebook() && (bits == 8 || weights.codebook()->size() != 1u << bits)) {
    return Error(Code::kCorrupt, "op %s: codebook of %u values for %d bits", name, weights.codebook()->size(), bits);
  }
  if (!weights.bias() || weights.bias()->size() != n) {
    return Error(Code::kCorrupt, "op %s: %zu biases, expected %zu", name, Elements(weights.bias()).size(), n);
  }
  if (weights.zero_point() && weights.zero_point()->size() != n) {
    return Error(Code::kCorrupt, "op %s: %u weight zero points, expected %zu", name, weights.zero_point()->size(), n);
  }
  if (weights.scale() && weights.scale()->size() != n) {
    return Error(Code::kCorrupt, "op %s: %u weight scales, expected %zu", name, weights.scale()->size(), n);
  }
  return {};
}

}  // namespace

Status CheckWeights(const OpContext& op, const schema::Weights& weights, LayerShape shape, int32_t max_code,
                    bool is_direct, WeightStatistics* statistics) {
  AQ_RETURN_IF_ERROR(CheckLengths(op, weights, shape));
  const WeightValues values(weights.bits(), weights.codebook() ? weights.codebook()->data() : nullptr);
  const auto zero_points = Elements(weights.zero_point());
  const uint8_t* codes = op.model.Segment(weights.segment()).data();
  const int bits = weights.bits();
  const size_t n = static_cast<size_t>(shape.n);
  const size_t per_channel = static_cast<size_t>(shape.taps) * static_cast<size_t>(shape.k);
  statistics->acc_bound.resize(n);
  for (size_t channel = 0; channel < n; ++channel) {
    const int32_t zero_point = zero_points.empty() ? 0 : zero_points[channel];
    int64_t values_sum = 0, values_magnitude = 0, weights_magnitude = 0;
    statistics->has_zero_points |= zero_point != 0;
    for (size_t i = 0; i < per_channel; ++i) {
      const int32_t value = values.of_code[CodeAt(codes, channel * per_channel + i, bits)];
      const int32_t magnitude = value < 0 ? -value : value;
      values_sum += value;
      values_magnitude += magnitude;
      const int32_t weight = value - zero_point;
      const int32_t weight_magnitude = weight < 0 ? -weight : weight;
      weights_magnitude += weight_magnitude;
      if (weight_magnitude > statistics->max_weight) statistics->max_weight = weight_magnitude;
      statistics->fits_int8 &= weight == static_cast<int8_t>(weight);
      if (magnitude > statistics->max_magnitude) statistics->max_magnitude = magnitude;
    }
    const int64_t bias = std::llabs(weights.bias()->Get(static_cast<uint32_t>(channel)));
    const int64_t bound = weights_magnitude * max_code + bias;
    // With a zero point the kernels form sum(code value * a) + bias, and zero_point * sum(a), before subtracting.
    const int64_t by_row_sums = zero_point == 0 || is_direct ? 0 : values_magnitude * max_code + bias;
    const int64_t correction =
        zero_point == 0 || is_direct ? 0 : std::llabs(zero_point) * static_cast<int64_t>(per_channel) * max_code;
    const int64_t largest = std::max(std::max(bound, by_row_sums), correction);
    if (largest >= kInt32Limit) {
      return Error(Code::kCorrupt, "op %s: accumulator of output channel %zu may reach %lld, the limit is %lld",
                   op.op.name, channel, static_cast<long long>(largest), static_cast<long long>(kInt32Limit - 1));
    }
    statistics->acc_bound[channel] = static_cast<int32_t>(bound);
    if (std::llabs(values_sum) >= kInt32Limit) {
      return Error(Code::kCorrupt, "op %s: weights of output channel %zu sum to %lld, the limit is %lld", op.op.name,
                   channel, static_cast<long long>(values_sum), static_cast<long long>(kInt32Limit - 1));
    }
  }
  return {};
}

}  // namespace aq
