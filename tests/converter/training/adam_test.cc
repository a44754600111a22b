// SPDX-License-Identifier: Apache-2.0
#include "converter/training/adam.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace aq::converter::training {
namespace {

TEST(Adam, EqualsAHandComputation) {
  Parameter p({2}, {1.0f, -2.0f});
  Adam adam(100);
  adam.AddGroup({.parameters = {&p}, .learning_rate = 0.1f});
  p.gradient = {0.5f, -4.0f};
  adam.Step();
  // First step: m / (1 - b1) = g, sqrt(v / (1 - b2)) = |g|: exactly one learning rate against the sign.
  EXPECT_NEAR(p.value[0], 0.9, 1e-6);
  EXPECT_NEAR(p.value[1], -1.9, 1e-6);
  EXPECT_EQ(p.gradient, (std::vector<float>{0, 0}));
  p.gradient = {-0.25f, 0.0f};
  adam.Step();
  // m = 0.9 * 0.05 + 0.1 * -0.25 = 0.02, v = 0.999 * 0.00025 + 0.001 * 0.0625 = 0.00031225
  const double m = 0.02 / (1 - 0.81), v = 0.00031225 / (1 - 0.998001);
  EXPECT_NEAR(p.value[0], 0.9 - 0.1 * m / std::sqrt(v), 1e-5);
  const double m1 = 0.9 * -0.4 / 0.19, v1 = 0.999 * 0.016 / (1 - 0.998001);
  EXPECT_NEAR(p.value[1], -1.9 - 0.1 * m1 / std::sqrt(v1), 1e-5);
}

TEST(Adam, GroupsKeepTheirOwnRateScheduleWarmUpAndDecay) {
  Parameter plain({1}, {0.0f}), cosine({1}, {0.0f}), late({1}, {0.0f}), decayed({1}, {1.0f}), frozen({1}, {3.0f});
  frozen.is_trained = false;
  Adam adam(4);
  adam.AddGroup({.parameters = {&plain, &frozen}, .learning_rate = 0.1f});
  adam.AddGroup({.parameters = {&cosine}, .learning_rate = 0.1f, .cosine = true});
  adam.AddGroup({.parameters = {&late}, .learning_rate = 0.2f, .first_step = 2});
  adam.AddGroup({.parameters = {&decayed}, .learning_rate = 0.1f, .decay = 0.5f, .decay_target = 0.5f});
  double schedule = 0;
  for (int step = 0; step < 4; ++step) {
    plain.gradient = cosine.gradient = late.gradient = frozen.gradient = {1.0f};  // constant: every update is the rate
    adam.Step();
    schedule += 0.5 * (1 + std::cos(std::numbers::pi * step / 4));
    EXPECT_NEAR(plain.value[0], -0.1 * (step + 1), 1e-5);
    EXPECT_NEAR(cosine.value[0], -0.1 * schedule, 1e-5);
    EXPECT_NEAR(late.value[0], step < 2 ? 0 : -0.2 * (step - 1), 1e-5);
    EXPECT_NEAR(decayed.value[0], 0.5 + 0.5 * std::pow(0.95, step + 1), 1e-5);
  }
  EXPECT_EQ(frozen.value[0], 3.0f);
}

}  // namespace
}  // namespace aq::converter::training
