// SPDX-License-Identifier: Apache-2.0
// ONNX (opset 9 to 21) -> Graph. Reads untrusted files: sizes, external data paths and graph depth are checked.
#pragma once

#include <string>
#include <vector>

#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

// A node that cannot be converted. All of them are found in one pass.
struct Unsupported {
  std::string node, op, shape, reason, hint;
  int64_t opset = 0;
};

struct ReadOptions {
  bool allow_external_data = true;
  uint64_t max_file_bytes = uint64_t{2} << 30;
};

// kIo: cannot open. kCorrupt: not an ONNX file, or inconsistent (names the tensor and both numbers).
// kUnsupported: `unsupported` holds every problem, the message is the first and the count.
// The graph comes out of Lower() (passes.h): folded, fused, ready to execute and quantise.
Result<Graph> ReadOnnx(const std::string& path, const ReadOptions& options, std::vector<Unsupported>* unsupported);
// Multi-line table for stderr: name, op, opset, shape, reason, hint.
std::string FormatUnsupported(const std::vector<Unsupported>& unsupported);

}  // namespace aq::converter
