// SPDX-License-Identifier: Apache-2.0
// The activation fake quantiser on the tape. Forward is the runtime's integer rule exactly (border.h, numerics.h);
// backward follows algorithms.md 3.3: LSQ for the step, straight-through or windowed estimator for the border.
#pragma once

#include "converter/training/border.h"
#include "converter/training/drop.h"
#include "converter/training/tape.h"

namespace aq::converter::training {

struct FakeQuantizeOptions {
  Drop drop;         // per element: quantised or float
  float window = 0;  // width T of the windowed border estimator; 0: straight-through
};

// x [n, channels, ...]. Gradients to x, quantizer->step (times 1 / sqrt(elements * Q)) and quantizer->border. The
// quantiser must not change before Backward(). May be called several times with one quantiser: gradients add up.
Var FakeQuantize(Tape* tape, Var x, ActivationQuantizer* quantizer, const FakeQuantizeOptions& options);

}  // namespace aq::converter::training
