// SPDX-License-Identifier: Apache-2.0
// Scalars to minimise. All sums run in double over fixed chunks: the same bits on any number of threads.
#pragma once

#include <span>

#include "converter/training/tape.h"

namespace aq::converter::training {

// ((prediction - target)^2).sum(channels).mean(batch, space); dimension 1 is the channel. `target`: no gradient.
Var MeanSquaredError(Tape* tape, Var prediction, Var target);

// temperature^2 * mean over images of KL(softmax(target / T) || softmax(prediction / T)); logits [n, ...] seen as
// [n, classes]. T^2 keeps the gradient's size (Hinton et al.). `target`: no gradient.
Var SoftenedDivergence(Tape* tape, Var prediction, Var target, float temperature);

struct WeightedTerm {
  Var scalar;
  float weight;
};
Var WeightedSum(Tape* tape, std::span<const WeightedTerm> terms);

}  // namespace aq::converter::training
