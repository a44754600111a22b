// SPDX-License-Identifier: Apache-2.0
// Runs nodes of a Graph on the tape, with hooks where quantisers enter: weights, bias, and inputs on the consumer's
// side. Called by block reconstruction and end-to-end tuning; the nodes' own float weights are the default.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "converter/graph.h"
#include "converter/training/tape.h"
#include "runtime/status.h"

namespace aq::converter::training {

// Each may be empty, or return kNoVar for "the node's own". `node` indexes graph.nodes.
struct NodeHooks {
  std::function<Var(Tape* tape, int node)> weights;
  std::function<Var(Tape* tape, int node)> bias;
  // Replaces input number `input` of the node; `x` is the producer's value, shared with its other consumers.
  std::function<Var(Tape* tape, int node, int input, Var x)> input;
};

// values [graph.values.size()]: the inputs of the nodes are given (batch n, else kNoVar), all outputs are filled in.
// nodes in topological order. The graph must outlive the iteration: its weights are not copied.
Status RunNodes(Tape* tape, const Graph& graph, std::span<const int> nodes, const NodeHooks& hooks,
                std::vector<Var>* values);

}  // namespace aq::converter::training
