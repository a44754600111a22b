// SPDX-License-Identifier: Apache-2.0
// Weights on the grids of weight_quantizer.h, trained in one of two ways. AdaRound (Nagel et al. 2020): the rounding
// direction is learned through h(alpha) in [0, 1]; optionally with the learned step of Genie-M (the base code stays
// where it was). Straight-through: a level per weight that moves freely and is rounded to nearest.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "converter/training/tape.h"

namespace aq::converter::training {

inline constexpr float kZeta = 1.1f, kGamma = -0.1f;  // stretch of the sigmoid

// real = scale[n] * (code - zero_point[n]), code = clip(base + h(alpha) + zero_point, code_min, code_max), or
// clip(round(level + zero_point), ...) once there are levels.
struct WeightQuantizer {
  int32_t code_min = 0, code_max = 0;
  std::vector<float> zero_point;   // [n], multiples of 1/2: a level may lie on either side of zero
  std::vector<float> base;         // level below the weight: floor(weight / scale + zero) - zero; frozen
  Parameter alpha;                 // shape of the weights
  Parameter level;                 // shape of the weights, or empty
  Parameter scale;                 // {n}; is_trained = false unless the step is learned
  std::vector<float> least_scale;  // [n]: where Project() keeps it, a fraction of where it starts

  int64_t per_channel() const { return static_cast<int64_t>(base.size() / zero_point.size()); }
};

// Starts at the float weights: h(alpha) is the fraction of weight / scale. shape[0] = n.
WeightQuantizer MakeWeightQuantizer(const Shape& shape, std::span<const float> weights, std::span<const float> scale,
                                    std::span<const float> zero_point, int32_t code_min, int32_t code_max);

enum class WeightRounding { kSoft, kHard, kStraightThrough };
// The weights on the tape. Soft: gradients to alpha and scale. Hard: h = (alpha >= 0), or the rounded levels; gradient
// to scale only. Straight-through (after StartLevels): the rounded levels, gradients to level and scale.
Var RoundedWeights(Tape* tape, WeightQuantizer* quantizer, WeightRounding rounding);
// After a step of the optimiser: scales that it took to zero or below, which no format has, back to the least.
void Project(WeightQuantizer* quantizer);
// Every level at its hard code.
void StartLevels(WeightQuantizer* quantizer);
// The codes of kHard.
std::vector<int8_t> HardCodes(const WeightQuantizer& quantizer);

// sum over weights of 1 - |2 h - 1|^beta: pushes every h to 0 or 1, the harder the smaller beta.
Var RoundingRegulariser(Tape* tape, WeightQuantizer* quantizer, float beta);
// 20 -> 2 linearly after the first fifth of the iterations; 0 before: leave the regulariser out.
float AnnealedBeta(int64_t iteration, int64_t iterations);

float SoftStep(float alpha);  // h

}  // namespace aq::converter::training
