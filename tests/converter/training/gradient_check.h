// SPDX-License-Identifier: Apache-2.0
// Compares the tape's gradients with central finite differences of a random weighted sum of the output.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "converter/training/tape.h"

namespace aq::converter::training {

inline std::vector<float> Uniform(size_t count, float low, float high, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = low + (high - low) * static_cast<float>(random() >> 8) / float{1 << 24};
  return values;
}
inline Parameter RandomParameter(const Shape& shape, uint32_t seed, float low = -1, float high = 1) {
  return Parameter(shape, Uniform(static_cast<size_t>(NumElements(shape)), low, high, seed));
}

using Build = std::function<Var(Tape*, const std::vector<Var>&)>;

// delta: half the difference step (large for ops that are linear in each element: then the quotient is exact up to
// rounding). tolerance is relative to 1 + |gradient|.
inline void CheckGradients(std::vector<Parameter> parameters, const Build& build, float delta, double tolerance) {
  Tape tape(2);
  std::vector<float> seed;
  const auto forward = [&] {
    tape.Reset();
    std::vector<Var> leaves;
    for (Parameter& p : parameters) leaves.push_back(tape.Leaf(&p));
    const Var out = build(&tape, leaves);
    if (seed.empty()) seed = Uniform(static_cast<size_t>(tape.count(out)), -1, 1, 99);
    return out;
  };
  const auto loss = [&] {
    const Var out = forward();
    double sum = 0;
    for (size_t i = 0; i < seed.size(); ++i) sum += double{seed[i]} * tape.value(out)[i];
    return sum;
  };
  const Var out = forward();
  tape.Backward(out, seed);
  double largest = 0;
  for (size_t k = 0; k < parameters.size(); ++k) {
    const std::vector<float> analytic = parameters[k].gradient;
    const size_t stride = analytic.size() / 60 + 1;  // enough places, odd ones too
    for (size_t i = 0; i < analytic.size(); i += stride) {
      const float kept = parameters[k].value[i];
      const float above = kept + delta, below = kept - delta;
      parameters[k].value[i] = above;
      const double up = loss();
      parameters[k].value[i] = below;
      const double down = loss();
      parameters[k].value[i] = kept;
      const double numeric = (up - down) / (double{above} - double{below});
      ASSERT_NEAR(analytic[i], numeric, tolerance * (1 + std::fabs(numeric))) << "parameter " << k << " element " << i;
      largest = std::max(largest, std::fabs(numeric));
    }
  }
  EXPECT_GT(largest, 1e-3) << "no gradient at all: the check proves nothing";
}

}  // namespace aq::converter::training
