// SPDX-License-Identifier: Apache-2.0
// Block or layer reconstruction (algorithms.md 3.2: QDrop plus learned borders): unit after unit, weights' rounding,
// activation steps and borders are trained until the unit's output on quantised inputs is the float network's; then, if
// wanted, the whole network (tune.h). Called by convert.cc.
#pragma once

#include <span>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/learned.h"
#include "converter/ranges.h"
#include "runtime/status.h"

namespace aq::converter {

// groups: of calibrate.h. Keeps inputs and outputs of one unit, and what later units read, for all images, in memory up
// to options.max_memory_bytes, else in options.scratch_folder. With options.checkpoint, what was learned is saved after
// each unit; a run that continues from there replays the finished units without training them. Same inputs and
// options -> same result, bit for bit, whatever the number of threads, resumed or not, in memory or not. Fills in
// report->units and tuning.
Result<LearnedQuantization> Reconstruct(const Graph& graph, const ActivationPlan& plan,
                                        const std::vector<Histogram>& groups, const ImageSource& images,
                                        std::span<const size_t> indices, const ConvertOptions& options,
                                        const Progress& progress, ConvertReport* report);

}  // namespace aq::converter
