// SPDX-License-Identifier: Apache-2.0
// Splits a graph into the units that block reconstruction learns one after another: the stem, residual blocks, single
// layers. Called by reconstruct.cc.
#pragma once

#include <vector>

#include "converter/graph.h"

namespace aq::converter {

// Consecutive nodes between two cuts: everything after a cut depends on one value only, the unit's input. Nodes without
// weights belong to the unit that follows (at the end of the graph: precedes).
struct Unit {
  std::vector<int> nodes;  // indices, in execution order
  ValueId input = -1;
  std::vector<ValueId> outputs;  // the next unit's input; of the last unit and of no other: the graph's outputs
};

std::vector<Unit> SplitIntoUnits(const Graph& graph);

}  // namespace aq::converter
