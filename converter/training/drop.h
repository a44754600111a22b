// SPDX-License-Identifier: Apache-2.0
// QDrop's random choice per element between the quantised and the float value (algorithms.md 3.1: the probability is
// that of KEEPING quantisation). Used by fake_quantize.cc inside a unit and directly on a unit's cached inputs.
#pragma once

#include <cstdint>

#include "converter/training/rng.h"

namespace aq::converter::training {

struct Drop {
  float keep = 1;  // probability that an element is quantised, in steps of 2^-16; 1: all
  RandomKey key;
};

// mask[i] = 1 with probability drop.keep, else 0; the same for any number of threads.
void FillMask(const Drop& drop, int64_t count, uint8_t* mask);

// out = mask ? quantised : exact
void MixInputs(const Drop& drop, const float* quantised, const float* exact, int64_t count, float* out);

}  // namespace aq::converter::training
