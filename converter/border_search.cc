// SPDX-License-Identifier: Apache-2.0
#include "converter/border_search.h"

#include <algorithm>

namespace aq::converter {
namespace {

// From coarse to fine, then once more: thresholds of one unit depend on each other.
constexpr float kMoves[] = {0.25f, 0.125f, 0.0625f, 0.125f, 0.0625f};
constexpr float kLowest = 1.0f / 256, kHighest = 1.0f;

}  // namespace

Status SearchBorders(const std::vector<UnitNetwork::Activation*>& activations,
                     const std::function<Result<double>()>& loss) {
  AQ_ASSIGN_OR_RETURN(double best, loss());
  for (const float move : kMoves) {
    for (UnitNetwork::Activation* activation : activations) {
      training::ActivationQuantizer& quantizer = activation->quantizer;
      if (!quantizer.is_free() || quantizer.channels != 1 || !quantizer.border.is_trained) continue;
      for (float& threshold : quantizer.border.value) {
        for (const float direction : {move, -move}) {
          const float kept = threshold;
          threshold = std::clamp(kept + direction, kLowest, kHighest);
          if (threshold == kept) continue;
          AQ_ASSIGN_OR_RETURN(const double tried, loss());
          if (tried < best) {
            best = tried;
            break;
          }
          threshold = kept;
        }
      }
    }
  }
  return {};
}

void ChannelMeans::Add(const training::Tape& tape, training::Var value) {
  const Shape& shape = tape.shape(value);
  const int64_t channels = shape[1], area = tape.count(value) / shape[0] / channels;
  sums_.resize(static_cast<size_t>(channels));
  open_.resize(static_cast<size_t>(channels));
  const float* x = tape.value(value);
  for (int64_t i = 0; i < tape.count(value); ++i) {
    const size_t c = static_cast<size_t>(i / area % channels);
    sums_[c] += static_cast<double>(x[i]);
    open_[c] += x[i] > low_ && x[i] < high_;
  }
  count_ += static_cast<double>(shape[0] * area);
}

void ChannelMeans::MoveBiases(const ChannelMeans& wanted, std::vector<float>* biases) const {
  constexpr double kMinShare = 0.05;  // a channel that is nearly always clipped would need a huge step
  for (size_t c = 0; c < sums_.size(); ++c) {
    const double difference = wanted.sums_[c] / wanted.count_ - sums_[c] / count_;
    (*biases)[c] += static_cast<float>(difference / std::max(open_[c] / count_, kMinShare));
  }
}

}  // namespace aq::converter
