// SPDX-License-Identifier: Apache-2.0
#include "converter/training/border.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace aq::converter::training {
namespace {

constexpr float kUnit = 1 << kFractionBits;
constexpr float kLargestSlope = 0.5f;  // of B(u): |b1| / Q; Theorem 2 needs < 1, and a change of step belongs to `step`
constexpr float kSmallestStep = 1e-8f;

}  // namespace

ActivationQuantizer MakeActivationQuantizer(int bits, int zero_point, float step, BorderClass border_class,
                                            int64_t tensor_channels) {
  assert(bits >= 2 && bits <= 8 && zero_point >= 0 && zero_point <= MaxLevel(bits) && step > 0);
  ActivationQuantizer q;
  q.bits = bits;
  q.zero_point = zero_point;
  q.border_class = border_class;
  const bool per_channel = border_class == BorderClass::kAffineChannel || border_class == BorderClass::kFreeChannel;
  q.channels = per_channel ? tensor_channels : 1;
  q.step = Parameter({1}, {step});
  std::vector<float> border(static_cast<size_t>(q.channels * q.entries()), 0.5f);
  if (q.is_affine())
    for (size_t i = 1; i < border.size(); i += 2) border[i] = 0;
  q.border = Parameter({q.channels, q.entries()}, std::move(border));
  return q;
}

Grid GridOf(const ActivationQuantizer& q, int64_t channel) {
  Grid grid;
  grid.offset = q.zero_point << kFractionBits;
  std::fill_n(grid.border, kBorderEntries, int32_t{kNearestBorder});
  const size_t entries = static_cast<size_t>(q.entries());
  const float* border = q.border.value.data() + static_cast<size_t>(channel) * entries;
  if (q.is_affine()) {
    grid.gain = 1 - border[1] / static_cast<float>(MaxLevel(q.bits));
    const float zero = grid.gain * static_cast<float>(q.zero_point) + 0.5f - border[0];  // where u = 0 goes, in cells
    grid.offset = static_cast<int32_t>(std::lround(zero * kUnit));
  } else if (q.is_free()) {
    for (size_t i = 0; i < entries; ++i)
      grid.border[i] = std::clamp(static_cast<int32_t>(std::lround(border[i] * kUnit)) - 1, 0, 255);
  }
  grid.scale = grid.gain * kUnit / q.step.value[0];
  return grid;
}

void Project(ActivationQuantizer* q) {
  q->step.value[0] = std::max(q->step.value[0], kSmallestStep);
  std::vector<float>& border = q->border.value;
  if (q->is_free()) {
    for (float& tau : border) tau = std::clamp(tau, 1 / kUnit, 1.0f);
  } else if (q->is_affine()) {
    const float levels = static_cast<float>(MaxLevel(q->bits)), zero_point = static_cast<float>(q->zero_point);
    for (size_t i = 0; i < border.size(); i += 2) {
      border[i + 1] = std::clamp(border[i + 1], -kLargestSlope * levels, kLargestSlope * levels);
      const float at_zero = border[i + 1] / levels * zero_point;  // B(u) = b0 + at_zero at the zero point
      border[i] = std::clamp(border[i], 1 / kUnit - at_zero, 1.0f - at_zero);
    }
  }
}

}  // namespace aq::converter::training
