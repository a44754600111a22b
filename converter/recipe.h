// SPDX-License-Identifier: Apache-2.0
// Which bits each layer gets: the default recipe, the first/last protocol, overrides by name, and recipe files (JSON).
// ParseRecipe ("w4a8") is declared in convert.h. Called by the activation plan and by `aq convert`.
#pragma once

#include <string>
#include <vector>

#include "converter/convert.h"
#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

// Conv and Dense: the layers that have weights.
bool IsWeightLayer(const Node& node);
// A convolution with one filter per output channel, which reads one input channel.
bool IsDepthwise(const Node& node);
// Weight layers without another weight layer before (first) or after (last) them on any path.
struct EdgeLayers {
  std::vector<bool> is_first, is_last;  // per node
};
EdgeLayers FindEdgeLayers(const Graph& graph);

// Per node: bits of its weights and of its input activations. Default, then the edges protocol (both: first and last
// weights 8 bits, last input 8 bits; brecq also stores the first layer's output in 8 bits, see activation_plan.h),
// then options.layers in order. kInvalidArgument names a bad regular expression or one that matches no layer.
Result<std::vector<Bits>> AssignBits(const Graph& graph, const ConvertOptions& options);

// The name as a pattern that matches only itself.
std::string ExactPattern(const std::string& name);

// A recipe file (JSON): sets options->bits, ranges and asymmetric_weights, and appends one entry to options->layers
// for every layer a rule matches. Unknown keys and unsupported values are errors.
//   {"version": 1,
//    "default": {"weights": {"bits": 4, "granularity": "channel", "symmetric": false},
//                "activations": {"bits": 4, "method": "mse"}, "rounding": "nearest"},
//    "rules": [{"match": {"name": "^/conv1", "op": "Conv", "depthwise": true},
//               "weights": {"bits": 8}, "activations": {"bits": 8}}],
//    "keep_float": []}
Status ApplyRecipeFile(const std::string& json, const Graph& graph, ConvertOptions* options);

}  // namespace aq::converter
