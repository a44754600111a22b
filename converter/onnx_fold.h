// SPDX-License-Identifier: Apache-2.0
// Evaluates ONNX nodes whose inputs are all constants: shape plumbing and expressions on weights. Called by the
// importer.
#pragma once

#include <vector>

#include "converter/onnx_tensor.h"
#include "runtime/status.h"

namespace onnx {
class NodeProto;
}

namespace aq::converter {

// `inputs`: nullptr where the node leaves an optional input out. kUnsupported: not an operation known here.
Result<Constant> FoldNode(const onnx::NodeProto& node, int64_t opset, const std::vector<const Constant*>& inputs,
                          const TensorSource& source);

namespace internal {  // the two halves of FoldNode; kNotFound: the other one's operation
Result<Constant> FoldArithmetic(const onnx::NodeProto& node, const std::vector<const Constant*>& inputs);
Result<Constant> FoldMovement(const onnx::NodeProto& node, int64_t opset, const std::vector<const Constant*>& inputs);
// The elements of `in` at offset + sum(index[i] * strides[i]), for every index below `extent`, row-major.
Constant Strided(const Constant& in, const Shape& extent, const std::vector<int64_t>& strides, int64_t offset);
Constant BroadcastTo(const Constant& in, const Shape& shape);  // in's shape must broadcast to it
}  // namespace internal

}  // namespace aq::converter
