// SPDX-License-Identifier: Apache-2.0
// The opset an .onnx declares for the standard operators: information for `aq check`, after ReadOnnx accepted the file.
#pragma once

#include <cstdint>
#include <string>

namespace aq::tools {

int64_t OnnxOpset(const std::string& path);  // 0 if there is none

}  // namespace aq::tools
