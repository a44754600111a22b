// SPDX-License-Identifier: Apache-2.0
#include "converter/training/adam.h"

#include <cmath>
#include <numbers>

#include "converter/training/chunks.h"

namespace aq::converter::training {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999;
constexpr float kEpsilon = 1e-8f;

}  // namespace

void Adam::AddGroup(const AdamGroup& group) {
  State state{group, {}};
  for (const Parameter* p : group.parameters) {
    state.moments.push_back({std::vector<float>(p->value.size()), std::vector<float>(p->value.size())});
  }
  groups_.push_back(std::move(state));
}

void Adam::Step() {
  const double progress = static_cast<double>(step_) / static_cast<double>(total_steps_);
  for (State& state : groups_) {
    const AdamGroup& group = state.group;
    const int64_t updates = step_ - group.first_step + 1;  // of this group, this one included
    const double schedule = group.cosine ? 0.5 * (1 + std::cos(std::numbers::pi * progress)) : 1.0;
    const float rate = static_cast<float>(group.learning_rate * schedule), shrink = rate * group.decay;
    const float correct1 = static_cast<float>(1 / (1 - std::pow(kBeta1, updates)));
    const float correct2 = static_cast<float>(1 / (1 - std::pow(kBeta2, updates)));
    const float b1 = static_cast<float>(kBeta1), b2 = static_cast<float>(kBeta2), target = group.decay_target;
    for (size_t k = 0; k < group.parameters.size(); ++k) {
      Parameter& p = *group.parameters[k];
      if (p.is_trained && updates > 0) {
        float *value = p.value.data(), *m = state.moments[k].first.data(), *v = state.moments[k].second.data();
        const float* g = p.gradient.data();
        ForChunks(static_cast<int64_t>(p.value.size()), kChunk, [=](int64_t begin, int64_t end, int64_t) {
#pragma GCC ivdep
          for (int64_t i = begin; i < end; ++i) {
            m[i] = b1 * m[i] + (1 - b1) * g[i];
            v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
            const float update = m[i] * correct1 / (std::sqrt(v[i] * correct2) + kEpsilon);
            value[i] -= rate * update + shrink * (value[i] - target);
          }
        });
      }
      p.ZeroGradient();
    }
  }
  ++step_;
}

}  // namespace aq::converter::training
