// SPDX-License-Identifier: Apache-2.0
// Constants of an ONNX graph: TensorProto -> Constant, with every size checked (reliability.md V2). Floating types
// become float, integer and bool types int64. Called by the importer; does not evaluate anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "converter/graph.h"
#include "converter/onnx_reader.h"
#include "converter/sha256.h"
#include "runtime/status.h"

namespace onnx {
class TensorProto;
}

namespace aq::converter {

struct Constant {
  Shape shape;  // {} is a scalar
  bool is_float = false;
  std::vector<float> floats;  // is_float
  std::vector<int64_t> ints;  // otherwise
  size_t size() const { return is_float ? floats.size() : ints.size(); }
  float AsFloat(size_t i) const { return is_float ? floats[i] : static_cast<float>(ints[i]); }
};
Constant IntConstant(Shape shape, std::vector<int64_t> ints);
Constant FloatConstant(Shape shape, std::vector<float> floats);
std::vector<float> ToFloats(const Constant& constant);

// Largest number of elements of any tensor, value or constant.
inline constexpr int64_t kMaxElements = int64_t{1} << 29;
inline constexpr int64_t kMaxFoldedElements = int64_t{1} << 25;  // of what a small file can ask to be computed
// Product of dims with each dim >= 0 and at most `limit`; kCorrupt with the name otherwise.
Result<int64_t> CheckedElements(const Shape& shape, const std::string& name, int64_t limit);

struct TensorSource {  // where external data of a model may lie
  std::string folder;
  bool allow_external_data = true;
  Sha256* digest = nullptr;  // external bytes are added to it
};
// kUnsupported for element types without a number (strings, complex).
Result<Constant> ReadTensor(const onnx::TensorProto& tensor, const TensorSource& source);

}  // namespace aq::converter
