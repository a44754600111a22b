// SPDX-License-Identifier: Apache-2.0
// Cross-layer equalisation (DFQ, 1906.04721): a channel's scale moves between the layer that makes it and the one that
// reads it until both have equal weight ranges. The network's function stays; ranges of tensors become easier to
// quantise. `aq convert --equalize`.
#pragma once

#include "converter/graph.h"

namespace aq::converter {

// Only where nothing else reads the value and nothing between the two layers minds a positive factor: no clip or ReLU,
// and pooling. Finite clips (ReLU6) and residual inputs keep a layer as it is. Returns the number of pairs.
int EqualizeLayers(Graph* graph);

}  // namespace aq::converter
