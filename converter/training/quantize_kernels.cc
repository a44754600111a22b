// SPDX-License-Identifier: Apache-2.0
#include "converter/training/quantize_kernels.h"

#include <bit>

#include "converter/training/simd.h"

namespace aq::converter::training {
namespace {

struct Position {
  int32_t v;     // Q.8, not clamped
  int32_t code;  // in [0, max_level]
  int32_t cell;  // border entry
};

// numerics.h: MultiplyFloor + offset, clamp, RoundOne; on a float x.
[[gnu::always_inline]] inline Position PositionOf(float x, const Grid& grid, const QuantizeShared& shared) {
  constexpr float kBound = 1 << 22;  // far outside every range; keeps the conversion defined, NaN included
  float scaled = x * grid.scale;
  scaled = scaled > -kBound ? scaled : -kBound;
  scaled = scaled < kBound ? scaled : kBound;
  int32_t v = static_cast<int32_t>(scaled);
  v -= static_cast<float>(v) > scaled;  // truncation to floor
  v += grid.offset;
  const int32_t top = shared.max_level << kFractionBits;
  const int32_t low = v > 0 ? v : 0, clamped = low < top ? low : top;
  const int32_t level = clamped >> kFractionBits;
  const int32_t cell = level >> shared.border_shift;
  return {v, level + ((clamped & 255) > grid.border[cell]), cell};
}

// exp(-a), a >= 0, relative error below 1e-6: plain arithmetic, so that the loop vectorises.
[[gnu::always_inline]] inline float ExpMinus(float a) {
  float y = a * -1.44269504f;
  y = y > -100.0f ? y : -100.0f;
  const int32_t whole = static_cast<int32_t>(y - 0.5f);
  const float f = (y - static_cast<float>(whole)) * 0.69314718f;
  float p = 1.0f / 720 * f + 1.0f / 120;
  p = p * f + 1.0f / 24;
  p = p * f + 1.0f / 6;
  p = p * f + 0.5f;
  p = p * f + 1.0f;
  p = p * f + 1.0f;
  return p * std::bit_cast<float>((whole + 127) << 23);
}

}  // namespace

AQ_CLONES void QuantizeForward(const float* x, const uint8_t* keep, int64_t count, const Grid& grid_in,
                               const QuantizeShared& shared_in, float* out) {
  const Grid grid = grid_in;  // copies: nothing the stores may alias
  const QuantizeShared shared = shared_in;
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const Position p = PositionOf(x[i], grid, shared);
    const float quantized = shared.step * static_cast<float>(p.code - shared.zero_point);
    out[i] = keep[i] ? quantized : x[i];
  }
}

// x^ = step * (code - zero_point). In range means that the rounded, unclamped code is in [0, max_level]. With the
// straight-through estimator code = gain * (x / step + zero_point) + 1/2 - B0 + (rounding error, constant), see
// border.h.
AQ_CLONES void QuantizeBackward(const float* x, const uint8_t* keep, const float* gradient, int64_t count,
                                const Grid& grid_in, const QuantizeShared& shared_in, BackwardBlock* block) {
  const Grid grid = grid_in;
  const QuantizeShared shared = shared_in;
  const int32_t top = shared.max_level << kFractionBits;
  const float per_step = grid.gain / shared.step, gain = grid.gain;
  const int32_t border_low = shared.is_affine ? -128 : 0, border_high = shared.is_affine ? top + 128 : top;
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const Position p = PositionOf(x[i], grid, shared);
    const float kept = keep[i] ? gradient[i] : 0.0f;
    const float in_range = (p.v >= -128) & (p.v < top + 128) ? 1.0f : 0.0f;
    const float in_cell = (p.v >= border_low) & (p.v < border_high) ? 1.0f : 0.0f;
    block->dx[i] = gradient[i] - kept + kept * gain * in_range;
    block->step_term[i] = kept * (static_cast<float>(p.code - shared.zero_point) - in_range * per_step * x[i]);
    block->border_term[i] = -shared.step * kept * in_cell;
    block->border_cell[i] = p.cell;
  }
  if (shared.window <= 0 || !(shared.is_affine || shared.is_free)) return;

  // Windowed surrogate: psi((frac - B) / T) / T with the logistic density. Affine borders are folded into gain and
  // offset: B is 1/2 on the folded axis.
  const float inverse = 1 / shared.window;
  const float offset = static_cast<float>(grid.offset) / 256.0f;
  const float last_cell = static_cast<float>(shared.max_level - 1);
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const float u = x[i] * grid.scale * (1.0f / 256.0f) + offset;
    float inside = u > 0 ? u : 0;
    inside = inside < last_cell ? inside : last_cell;  // no border lies beyond the last cell
    const float level = static_cast<float>(static_cast<int32_t>(inside));
    const float border =
        shared.is_affine ? 0.5f : (static_cast<float>(grid.border[block->border_cell[i]]) + 1.0f) / 256.0f;
    const float distance = u - level - border;
    const float e = ExpMinus((distance < 0 ? -distance : distance) * inverse);
    block->border_term[i] *= e / ((1 + e) * (1 + e)) * inverse;
  }
}

}  // namespace aq::converter::training
