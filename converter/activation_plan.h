// SPDX-License-Identifier: Apache-2.0
// Decides, before any number is known, how each value is stored: at which widths, and which values must share one
// quantisation. Input of calibrate.h (what to observe) and quantize.h (which tensors to make).
#pragma once

#include <vector>

#include "converter/convert.h"
#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

inline constexpr int kRawBits = 32;  // a graph output kept at accumulator precision

// A quantiser belongs to the consumer's input: weight layers ask for the activation bits of their recipe; everything
// else (residual, pooling, add ...) reads what is there, 8 bits if nobody asked. Max pool, reshape, transpose, slice
// and pad keep the quantisation of their input, so what is asked of their output is asked of their input.
struct ActivationPlan {
  std::vector<Bits> bits;                // per node; of Conv and Dense
  std::vector<std::vector<int>> widths;  // per value: stored widths, widest first, at most two; kRawBits counts as one
  std::vector<int> group;                // per value: values of one group share scale and zero point at each width
  std::vector<bool> is_observed;         // per value: its own distribution decides the group's range
  std::vector<ValueId> alias;            // per value: the value it is the same as (a trailing reshape), else itself
};

Result<ActivationPlan> PlanActivations(const Graph& graph, const ConvertOptions& options);

// Copies codes without changing them, so input and output are one group (unless a clip follows).
bool IsPassThrough(const Node& node);
// The width of `value` a consumer gets when it asks for `wanted`: that, else the next wider, else the widest.
int ChooseWidth(const std::vector<int>& widths, int wanted);
// The widest stored code width: what consumers without an own recipe read.
int WidestCode(const std::vector<int>& widths);

}  // namespace aq::converter
