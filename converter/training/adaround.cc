// SPDX-License-Identifier: Apache-2.0
#include "converter/training/adaround.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "converter/training/accumulate.h"

namespace aq::converter::training {
namespace {

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
float Stretched(float sigmoid) { return sigmoid * (kZeta - kGamma) + kGamma; }
// d h / d alpha from h: 0 where h is clipped.
float StepDerivative(float h) {
  const float sigmoid = (h - kGamma) / (kZeta - kGamma);
  return h > 0 && h < 1 ? (kZeta - kGamma) * sigmoid * (1 - sigmoid) : 0.0f;
}
constexpr float kLeastScale = 1.0f / 16;  // of the scale at the start: its channel almost switched off

float HardStep(float alpha) { return alpha >= 0 ? 1.0f : 0.0f; }

}  // namespace

float SoftStep(float alpha) { return std::clamp(Stretched(Sigmoid(alpha)), 0.0f, 1.0f); }

WeightQuantizer MakeWeightQuantizer(const Shape& shape, std::span<const float> weights, std::span<const float> scale,
                                    std::span<const float> zero_point, int32_t code_min, int32_t code_max) {
  assert(static_cast<size_t>(shape[0]) == scale.size() && scale.size() == zero_point.size());
  assert(static_cast<size_t>(NumElements(shape)) == weights.size());
  WeightQuantizer q;
  q.code_min = code_min;
  q.code_max = code_max;
  q.zero_point.assign(zero_point.begin(), zero_point.end());
  q.scale = Parameter({shape[0]}, {scale.begin(), scale.end()});
  q.scale.is_trained = false;
  q.least_scale.assign(scale.begin(), scale.end());
  for (float& least : q.least_scale) least *= kLeastScale;
  q.base.resize(weights.size());
  std::vector<float> alpha(weights.size());
  const size_t per_channel = weights.size() / scale.size();
  for (size_t i = 0; i < weights.size(); ++i) {
    const float level = weights[i] / scale[i / per_channel];
    const float zero = zero_point[i / per_channel];
    q.base[i] = std::floor(level + zero) - zero;
    alpha[i] = -std::log((kZeta - kGamma) / (level - q.base[i] - kGamma) - 1);
  }
  q.alpha = Parameter(shape, std::move(alpha));
  return q;
}

namespace {

// Level - zero point of the code that `level` rounds to.
float RoundLevel(float level, float zero, float low, float high) {
  return std::clamp(std::nearbyint(level + zero), low, high) - zero;
}

}  // namespace

Var RoundedWeights(Tape* tape, WeightQuantizer* q, WeightRounding rounding) {
  const bool soft = rounding == WeightRounding::kSoft, has_levels = !q->level.value.empty();
  assert((has_levels ? !soft : rounding != WeightRounding::kStraightThrough) && "RoundedWeights: levels");
  const Var alpha = soft ? tape->Leaf(&q->alpha) : kNoVar;
  const Var level = rounding == WeightRounding::kStraightThrough ? tape->Leaf(&q->level) : kNoVar;
  const Var scale = tape->Leaf(&q->scale);
  const Var out = tape->Make(q->alpha.shape, {alpha, level, scale});
  const int64_t count = tape->count(out), per_channel = q->per_channel();
  const size_t size = static_cast<size_t>(count);
  // h, and code - zero_point
  float *h = tape->Saved(out, 0, size), *rounded = tape->Saved(out, 1, size), *w = tape->MutableValue(out);
  const float *a = q->alpha.value.data(), *base = q->base.data(), *s = q->scale.value.data();
  const float *free = q->level.value.data(), *zero = q->zero_point.data();
  const float low = static_cast<float>(q->code_min), high = static_cast<float>(q->code_max);
  ForRows(count / per_channel, per_channel, [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const float z = zero[n];
      for (int64_t i = n * per_channel; i < (n + 1) * per_channel; ++i) {
        if (has_levels) {
          rounded[i] = RoundLevel(free[i], z, low, high);
        } else {
          h[i] = soft ? SoftStep(a[i]) : HardStep(a[i]);
          rounded[i] = std::clamp(base[i] + h[i], low - z, high - z);
        }
        w[i] = s[n] * rounded[i];
      }
    }
  });
  tape->OnBackward(out, [=] {
    const float* g = tape->gradient(out);
    Accumulate(tape, alpha, [=](int64_t i) {
      const float is_free = rounded[i] == base[i] + h[i] ? 1.0f : 0.0f;  // not clipped
      return g[i] * s[i / per_channel] * is_free * StepDerivative(h[i]);
    });
    Accumulate(tape, level, [=](int64_t i) {
      const bool is_inside = std::fabs(free[i] - rounded[i]) <= 0.5f;  // not clipped
      return is_inside ? g[i] * s[i / per_channel] : 0.0f;
    });
    Accumulate(tape, scale, [=](int64_t n) {
      double sum = 0;
      for (int64_t i = n * per_channel; i < (n + 1) * per_channel; ++i) sum += double{g[i]} * rounded[i];
      return static_cast<float>(sum);
    });
  });
  return out;
}

void Project(WeightQuantizer* q) {
  for (size_t n = 0; n < q->least_scale.size(); ++n) {
    float& scale = q->scale.value[n];
    scale = std::max(scale, q->least_scale[n]);
  }
}

void StartLevels(WeightQuantizer* q) {
  std::vector<float> level(q->base.size());
  const size_t per_channel = static_cast<size_t>(q->per_channel());
  const float low = static_cast<float>(q->code_min), high = static_cast<float>(q->code_max);
  for (size_t i = 0; i < level.size(); ++i) {
    const float zero = q->zero_point[i / per_channel];
    level[i] = std::clamp(q->base[i] + HardStep(q->alpha.value[i]), low - zero, high - zero);
  }
  q->level = Parameter(q->alpha.shape, std::move(level));
}

std::vector<int8_t> HardCodes(const WeightQuantizer& q) {
  std::vector<int8_t> codes(q.base.size());
  const size_t per_channel = static_cast<size_t>(q.per_channel());
  for (size_t i = 0; i < codes.size(); ++i) {
    const float zero = q.zero_point[i / per_channel];
    const float low = static_cast<float>(q.code_min), high = static_cast<float>(q.code_max);
    codes[i] =
        static_cast<int8_t>(q.level.value.empty() ? std::clamp(q.base[i] + HardStep(q.alpha.value[i]) + zero, low, high)
                                                  : RoundLevel(q.level.value[i], zero, low, high) + zero);
  }
  return codes;
}

Var RoundingRegulariser(Tape* tape, WeightQuantizer* q, float beta) {
  const Var alpha = tape->Leaf(&q->alpha);
  const Var out = tape->Make({1}, {alpha});
  const int64_t count = tape->count(alpha);
  const size_t size = static_cast<size_t>(count);
  float *term = tape->Saved(out, 0, size), *slope = tape->Saved(out, 1, size);
  const float* a = tape->value(alpha);
  ForChunks(count, kChunk / 16, [=](int64_t begin, int64_t end, int64_t) {  // pow is slow: small chunks
    for (int64_t i = begin; i < end; ++i) {
      const float h = SoftStep(a[i]), side = 2 * h - 1, distance = std::fabs(side);
      const float power = std::pow(distance, beta - 1);
      term[i] = 1 - power * distance;
      slope[i] = -2 * beta * power * (side < 0 ? -1.0f : 1.0f) * StepDerivative(h);
    }
  });
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += term[i];
  *tape->MutableValue(out) = static_cast<float>(sum);
  tape->OnBackward(out, [=] {
    const float g = *tape->gradient(out);
    Accumulate(tape, alpha, [=](int64_t i) { return g * slope[i]; });
  });
  return out;
}

float AnnealedBeta(int64_t iteration, int64_t iterations) {
  constexpr float kStart = 20, kEnd = 2, kWarmUp = 0.2f;
  const float progress = static_cast<float>(iteration) / static_cast<float>(iterations);
  if (progress < kWarmUp) return 0;
  return kStart + (kEnd - kStart) * std::min(1.0f, (progress - kWarmUp) / (1 - kWarmUp));
}

}  // namespace aq::converter::training
