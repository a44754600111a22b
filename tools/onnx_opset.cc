// SPDX-License-Identifier: Apache-2.0
// Implements onnx_opset.h.
#include "tools/onnx_opset.h"

#include <fstream>

#include "onnx/onnx_pb.h"

namespace aq::tools {

int64_t OnnxOpset(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file)) return 0;
  for (const onnx::OperatorSetIdProto& import : model.opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  }
  return 0;
}

}  // namespace aq::tools
