// SPDX-License-Identifier: Apache-2.0
// Borders without gradients (algorithms.md 3.5): one threshold after the other is moved a little, and stays where the
// unit's loss is lower. The cheap mode, and the fair answer to "what does the border alone bring". Called by
// reconstruct.cc.
#pragma once

#include <functional>
#include <vector>

#include "converter/unit_network.h"
#include "runtime/status.h"

namespace aq::converter {

inline constexpr int64_t kSearchImages = 64;  // the loss is taken on this many

// loss: of the unit as the runtime will execute it. Only free per-tensor borders of `activations` change; their
// thresholds stay multiples of 1/256 in [1/256, 1].
Status SearchBorders(const std::vector<UnitNetwork::Activation*>& activations,
                     const std::function<Result<double>()>& loss);

// How far a unit's output y is from the float network's t, as the network behind it feels it: the squared error, and
// more for what it holds of a smaller answer, y = g t + noise with g < 1. Plain squared error buys less noise with a
// smaller answer; but noise averages out in the next layer's sums and the answer does not grow back.
class OutputError {
 public:
  void Add(const training::Tape& tape, training::Var output, const float* target);
  double Loss() const;

 private:
  struct Sums {
    double t = 0, y = 0, tt = 0, ty = 0, yy = 0;
  };
  std::vector<Sums> channels_;
  double count_ = 0;  // of a channel
};

// Means of a node's output by channel, over batches on a tape.
class ChannelMeans {
 public:
  // Values at the clip do not follow a change of the bias.
  ChannelMeans(float clip_low, float clip_high) : low_(clip_low), high_(clip_high) {}
  void Add(const training::Tape& tape, training::Var value);
  // Moves `biases` so that, to first order, these means become `wanted`.
  void MoveBiases(const ChannelMeans& wanted, std::vector<float>* biases) const;

 private:
  float low_, high_;
  std::vector<double> sums_, open_;  // by channel: sum, and how many are between the clips
  double count_ = 0;                 // of a channel
};

}  // namespace aq::converter
