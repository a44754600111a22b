// SPDX-License-Identifier: Apache-2.0
// Splits a graph into the units that reconstruction learns one after another: the stem, residual blocks, single layers.
// Called by reconstruct.cc and tune.cc.
#pragma once

#include <vector>

#include "converter/convert.h"
#include "converter/graph.h"

namespace aq::converter {

// Consecutive nodes between two cuts. Blocks: everything after a cut depends on one value only, and a depthwise layer
// stays with the layer after it, in an inverted bottleneck also with the one before. Layers: there is a cut after every
// layer with weights. Nodes without weights belong to the unit that follows (at the end of the graph: precedes).
struct Unit {
  std::vector<int> nodes;          // indices, in execution order
  std::vector<ValueId> inputs;     // what they read of earlier units, or the graph's input; in order of reading
  std::vector<ValueId> outputs;    // what later units read of theirs, or the graph's outputs; in order of execution
  std::vector<ValueId> last_read;  // those of the inputs that no later unit reads
};

std::vector<Unit> SplitIntoUnits(const Graph& graph, UnitKind kind);

}  // namespace aq::converter
