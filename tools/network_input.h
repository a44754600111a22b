// SPDX-License-Identifier: Apache-2.0
// The picture a float network wants, and pixels as its floats. Converter builds only.
#pragma once

#include <cstdint>
#include <vector>

#include "converter/float_executor.h"
#include "converter/graph.h"
#include "tools/preprocess.h"

namespace aq::tools {

// {1, C, H, W} or {1, K}; kUnsupported otherwise.
Result<InputShape> NetworkInput(const converter::Graph& graph);
// kInvalidArgument unless mean and std have one entry or one per channel.
Status CheckChannels(const Preprocess& preprocess, const InputShape& shape);
// Appends one image: (code - mean) / std, channel planes.
void AppendFloats(const std::vector<uint8_t>& codes, const Preprocess& preprocess, const InputShape& shape,
                  std::vector<float>* data);

}  // namespace aq::tools
