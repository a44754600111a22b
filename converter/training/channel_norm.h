// SPDX-License-Identifier: Apache-2.0
// Batch normalisation (Ioffe and Szegedy 2015) of a layer's product, for as long as the whole network is tuned: without
// it every step of a low-bit network shifts what all later layers see. Afterwards it is folded into the layer's scales
// and biases, as every network's own was before conversion. Used by unit_network.h and tune.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "converter/training/tape.h"

namespace aq::converter::training {

inline constexpr int64_t kLeastImages = 16;  // of a batch, for a norm to be switched on; fewer were not tried

struct ChannelNorm {
  Parameter gain, shift;          // [c]: the standard deviation and the mean that a channel is given; or empty: off
  std::vector<float> least_gain;  // [c]: where Project() keeps it, a fraction of where it starts
  double epsilon = 0;             // added to variances
  std::vector<double> means, variances;          // [c]: sums over the batches measured
  int64_t batches = 0, images = 0, samples = 0;  // of one batch; samples: a channel's positions in all its images

  bool is_on() const { return !gain.value.empty(); }
};

// Adds the statistics of y [n, c, ...], a batch.
void Measure(const Tape& tape, Var y, ChannelNorm* norm);
// y [n, c, ...], gain and shift [c] -> (y - mean) / sqrt(variance + epsilon) * gain + shift, mean and variance [c] of
// y.
Var Normalize(Tape* tape, Var y, Var gain, Var shift, double epsilon);

// Switches it on with the statistics measured, so that Normalize() changes about nothing; leaves it off where a batch
// has too few images or samples for its statistics. Forgets what was measured.
void Start(ChannelNorm* norm);
// After a step of the optimiser.
void Project(ChannelNorm* norm);
// With the statistics measured since, of products that were made with `scale` and `bias`, both [c]: moves the two so
// that they give what Normalize() makes of it. Switches it off.
void Fold(ChannelNorm* norm, std::span<float> scale, std::span<float> bias);

}  // namespace aq::converter::training
