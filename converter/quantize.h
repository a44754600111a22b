// SPDX-License-Identifier: Apache-2.0
// Graph + ranges -> integer model: tensors, weights, biases, multipliers, tables. Layout becomes channels last here and
// the preprocessing is folded into the first layer. Executes nothing.
#pragma once

#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/integer_model.h"
#include "converter/learned.h"
#include "converter/ranges.h"
#include "runtime/status.h"

namespace aq::converter {

// groups: one distribution per group of `plan` (calibrate.h). kUnsupported: preprocessing that cannot be folded.
// kLimit: numbers that do not fit the format, naming the layer. The result passes ProveRanges().
// learned: replaces what would be searched and rounded to nearest, where it has an entry; may be null.
Result<Quantized> Quantize(const Graph& graph, const ActivationPlan& plan, const std::vector<Histogram>& groups,
                           const ConvertOptions& options, const LearnedQuantization* learned = nullptr);

}  // namespace aq::converter
