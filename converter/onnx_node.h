// SPDX-License-Identifier: Apache-2.0
// Reading one NodeProto: attributes with defaults, and the shape arithmetic (axes, slices, reshapes, broadcasting) that
// constant folding and the importer share. Errors are kCorrupt unless stated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "converter/graph.h"
#include "runtime/status.h"

namespace onnx {
class AttributeProto;
class NodeProto;
}  // namespace onnx

namespace aq::converter {

class NodeAttributes {
 public:
  explicit NodeAttributes(const onnx::NodeProto& node) : node_(node) {}
  bool Has(const char* name) const { return Find(name) != nullptr; }
  int64_t Int(const char* name, int64_t fallback) const;
  float Float(const char* name, float fallback) const;
  std::string String(const char* name, const std::string& fallback) const;
  std::vector<int64_t> Ints(const char* name) const;  // empty if absent
  std::vector<float> Floats(const char* name) const;
  const onnx::AttributeProto* Find(const char* name) const;

 private:
  const onnx::NodeProto& node_;
};

// ONNX counts negative axes from the end.
Result<size_t> NormalizeAxis(int64_t axis, size_t rank);
Result<std::vector<size_t>> NormalizeAxes(const std::vector<int64_t>& axes, size_t rank);
// `axes` empty: every dimension of extent 1 except the batch.
Result<Shape> SqueezeShape(const Shape& in, const std::vector<int64_t>& axes);
Result<Shape> UnsqueezeShape(const Shape& in, const std::vector<int64_t>& axes);
// 0 copies the input's dimension (unless is_zero_literal), -1 is inferred.
Result<Shape> ReshapeShape(const Shape& in, std::vector<int64_t> dims, bool is_zero_literal);
Result<Shape> BroadcastShape(const Shape& a, const Shape& b);

struct SliceSpec {
  std::vector<int64_t> begin, stride;  // per dimension; stride may be negative
  Shape extent;                        // may hold zeros
};
Result<SliceSpec> ResolveSlice(const Shape& in, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
                               const std::vector<int64_t>& axes, const std::vector<int64_t>& steps);

}  // namespace aq::converter
