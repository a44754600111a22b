// SPDX-License-Identifier: Apache-2.0
// Adam (Kingma and Ba 2015) with bias correction over groups of parameters, each with its own learning rate.
#pragma once

#include <cstdint>
#include <vector>

#include "converter/training/tape.h"

namespace aq::converter::training {

struct AdamGroup {
  std::vector<Parameter*> parameters;  // outlive the optimiser
  float learning_rate = 1e-3f;
  bool cosine = false;     // learning rate * (1 + cos(pi * step / total_steps)) / 2: falls to 0
  int64_t first_step = 0;  // steps before it leave the group alone (warm-up of borders)
  float decay = 0;         // decoupled: pulls values towards decay_target by learning rate * decay
  float decay_target = 0;
};

class Adam {
 public:
  explicit Adam(int64_t total_steps) : total_steps_(total_steps) {}
  void AddGroup(const AdamGroup& group);
  // Updates every parameter with is_trained from its gradient, then zeroes all gradients.
  void Step();

 private:
  struct Moments {
    std::vector<float> first, second;
  };
  struct State {
    AdamGroup group;
    std::vector<Moments> moments;  // per parameter
  };
  int64_t total_steps_;
  int64_t step_ = 0;
  std::vector<State> groups_;
};

}  // namespace aq::converter::training
