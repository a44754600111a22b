// SPDX-License-Identifier: Apache-2.0
// Implements network_input.h.
#include "tools/network_input.h"

namespace aq::tools {

Result<InputShape> NetworkInput(const converter::Graph& graph) {
  const converter::Value& value = graph.values[static_cast<size_t>(graph.input)];
  const converter::Shape& shape = value.shape;
  for (const int64_t dim : shape) {
    if (dim < 1 || dim > 65536) {
      return Error(Code::kUnsupported, "input '%s': dimension %lld, 1 to 65536 expected", value.name.c_str(),
                   static_cast<long long>(dim));
    }
  }
  if (shape.size() == 4) {
    return InputShape{static_cast<int>(shape[2]), static_cast<int>(shape[3]), static_cast<int>(shape[1])};
  }
  if (shape.size() == 2) return InputShape{1, 1, static_cast<int>(shape[1])};
  return Error(Code::kUnsupported, "input '%s' has rank %zu, 2 or 4 expected", value.name.c_str(), shape.size());
}

Status CheckChannels(const Preprocess& preprocess, const InputShape& shape) {
  const size_t channels = static_cast<size_t>(shape.c);
  for (const auto* values : {&preprocess.mean, &preprocess.stddev}) {
    if (values->size() != 1 && values->size() != channels) {
      return Error(Code::kInvalidArgument, "%s has %zu values, the network's input %zu channels",
                   values == &preprocess.mean ? "mean" : "std", values->size(), channels);
    }
  }
  return {};
}

void AppendFloats(const std::vector<uint8_t>& codes, const Preprocess& preprocess, const InputShape& shape,
                  std::vector<float>* data) {
  const size_t channels = static_cast<size_t>(shape.c);
  const auto entry = [](const std::vector<float>& values, size_t c) { return values[values.size() == 1 ? 0 : c]; };
  for (size_t c = 0; c < channels; ++c) {
    const float mean = entry(preprocess.mean, c), stddev = entry(preprocess.stddev, c);
    for (size_t i = c; i < codes.size(); i += channels) {
      data->push_back((static_cast<float>(codes[i]) - mean) / stddev);
    }
  }
}

}  // namespace aq::tools
