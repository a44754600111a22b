// SPDX-License-Identifier: Apache-2.0
// The float network's ops on the tape, with the meaning of graph.h at batch n. Called by run_nodes.h and by tests.
// Every function returns a new value; gradients flow to every input that needs one.
#pragma once

#include <span>

#include "converter/graph.h"
#include "converter/training/tape.h"

namespace aq::converter::training {

// x [n, c, h, w], weights [k, c / groups, kernel_h, kernel_w], bias [k] or kNoVar. oneDNN, blocked layouts inside.
Var Conv2d(Tape* tape, Var x, Var weights, Var bias, const Window& window, int64_t groups);
// x [n, ...] seen as [n, k], weights [m, k], bias [m] or kNoVar -> [n, m].
Var Dense(Tape* tape, Var x, Var weights, Var bias);

Var Add(Tape* tape, Var a, Var b);                                       // same shape
Var Mul(Tape* tape, Var a, Var b);                                       // b: a's shape, [n, c, 1, 1] or [1, c, 1, 1]
Var Clip(Tape* tape, Var x, float low, float high);                      // gradient 1 strictly inside
Var Clip(Tape* tape, Var x, float low, const std::vector<float>& high);  // x [n, c, ...], high [c]
Var Apply(Tape* tape, Var x, const Elementwise& elementwise);
// d Apply / d x; at a kink the derivative from the right.
float Derivative(const Elementwise& elementwise, float x);

Var MaxPool(Tape* tape, Var x, const Window& window);
Var AveragePool(Tape* tape, Var x, const Window& window, bool count_include_pad);

Var Concat(Tape* tape, std::span<const Var> inputs, int64_t axis);
Var Slice(Tape* tape, Var x, std::span<const int64_t> begin, std::span<const int64_t> stride, const Shape& extent);
Var Pad(Tape* tape, Var x, std::span<const int64_t> before, std::span<const int64_t> after);
Var Reshape(Tape* tape, Var x, const Shape& shape);
Var Transpose(Tape* tape, Var x, std::span<const int64_t> permutation);

}  // namespace aq::converter::training
