// SPDX-License-Identifier: Apache-2.0
// Borders without gradients (algorithms.md 3.5): one threshold after the other is moved a little, and stays where the
// unit's loss is lower: the fair answer to "what does the border alone bring". On ResNet-20 with 2-bit activations and
// weights to nearest it brings nothing: unit errors fall, and the network agrees less with the float one (w2a2 57 %
// against 64 %, w4a2 75 against 76, one seed, 1,000 calibration images). Called by reconstruct.cc.
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
