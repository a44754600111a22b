// SPDX-License-Identifier: Apache-2.0
// Graph -> Graph simplifications, each a free function with its own test graph, listed once in Lower().
#pragma once

#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

// Runs every pass in order; the result validates (Validate). kInternal if a pass broke the graph.
Status Lower(Graph* graph);

void RemoveIdentities(Graph* graph);  // Identity, no-op reshapes, pads and slices
void FoldAffine(Graph* graph);        // stand-alone BatchNorm (a depthwise 1x1 Conv) into the Conv or Dense before it
void MergePads(Graph* graph);         // Pad before Conv (and average pooling that counts padding) into its window
void FusePatterns(Graph* graph);      // x * sigmoid(x) -> SiLU, x * hardsigmoid(x) -> HardSwish
void FuseActivations(Graph* graph);   // Relu and Clip into the clip range of the op before
void FuseResiduals(Graph* graph);     // Add after a Conv or Dense -> its second input
void RemoveDeadNodes(Graph* graph);   // and unused values; renumbers
Status Validate(const Graph& graph);  // order, one writer, shapes recomputed and equal

}  // namespace aq::converter
