// SPDX-License-Identifier: Apache-2.0
// The importer's state and what an op's import function sees. One function per ONNX op (table in onnx_import.cc) turns
// a NodeProto into Graph nodes; nodes on constants never get here, they are folded.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "converter/graph.h"
#include "converter/onnx_node.h"
#include "converter/onnx_reader.h"
#include "converter/onnx_tensor.h"
#include "runtime/status.h"

namespace onnx {
class ModelProto;
class NodeProto;
class ValueInfoProto;
}  // namespace onnx

namespace aq::converter {

struct Operand {
  enum Kind { kUnknown, kValue, kConstant } kind = kUnknown;  // kUnknown: comes out of an unsupported node
  ValueId value = -1;
  const Constant* constant = nullptr;
};

struct ImportState {
  Graph graph;
  std::map<std::string, Operand> operands;  // by ONNX name
  std::deque<Constant> constants;           // stable addresses
  std::map<std::string, int> uses;          // readers of a name, graph outputs included
  std::set<std::string> output_names;
  int64_t fixed_batch = 1;  // N of the file, where a number
  int64_t opset = 0;
  TensorSource source;
  std::vector<Unsupported> unsupported;
};

// One node being imported. Functions return kUnsupported (collected, import goes on) or kCorrupt (import ends).
class NodeImport {
 public:
  NodeImport(const onnx::NodeProto& node, ImportState* state) : node_(node), state_(*state), attributes(node) {}

  int64_t opset() const { return state_.opset; }
  int64_t fixed_batch() const { return state_.fixed_batch; }
  const std::string& op() const;
  size_t num_inputs() const;
  size_t num_outputs() const;
  bool Has(size_t input) const;  // given and not the empty name
  bool IsConstant(size_t input) const;
  bool IsOutputUsed(size_t output) const;
  bool IsGraphOutput(size_t output) const;  // and read by nothing else

  Result<ValueId> Input(size_t i) const;                  // an activation; kUnsupported for a constant
  Result<const Constant*> ConstantInput(size_t i) const;  // kUnsupported for an activation
  const Shape& ShapeOf(ValueId value) const { return state_.graph.values[static_cast<size_t>(value)].shape; }
  // Attribute before an opset, constant input from then on; nothing if absent.
  Result<std::optional<std::vector<int64_t>>> Ints(const char* name, size_t input, int64_t input_since) const;
  Result<std::optional<float>> Scalar(const char* name, size_t input, int64_t input_since) const;

  // Appends a node; with `suffix` a helper whose names are derived, without it the node the op is known by.
  Result<ValueId> Emit(const std::string& suffix, Attributes attributes, std::vector<ValueId> inputs, Shape declared);
  // Emit without suffix, bound to the ONNX node's output.
  Status Finish(Attributes attributes, std::vector<ValueId> inputs, Shape declared, size_t output);
  void Bind(size_t output, ValueId value);
  void BindConstant(size_t output, Constant constant);
  void Warn(const std::string& text) { state_.graph.warnings.push_back(text); }
  std::string Name() const;  // the node's name, else its first output's
  const std::string& OutputName(size_t output) const;

  // {1, C} and {1, C, L} as {1, C, 1, L}: helper Reshape where needed. Other ranks than 2 to 4: kUnsupported.
  Result<ValueId> LiftTo4d(ValueId value);
  // The op on lifted inputs, reshaped back to `rank` dimensions and bound to output 0.
  Status FinishLifted(Attributes attributes, std::vector<ValueId> inputs, size_t rank);

 private:
  const onnx::NodeProto& node_;
  ImportState& state_;

 public:
  const NodeAttributes attributes;
};

[[gnu::format(printf, 1, 2)]] Status NotSupported(const char* format, ...);

using ImportFunction = Status (*)(NodeImport&);
struct ImportRow {
  const char* op;
  ImportFunction function;
};
// The tables of the onnx_ops_*.cc files.
std::vector<ImportRow> LinearOps();  // Conv, Gemm, MatMul, BatchNormalization
std::vector<ImportRow> PoolOps();
std::vector<ImportRow> ElementwiseOps();
std::vector<ImportRow> BinaryOps();
std::vector<ImportRow> ShapeOps();

// Window of a Conv or Pool node over {1, C, H, W} or {1, C, L}: kernel, strides, dilations, pads or auto_pad.
// `kernel` has 1 or 2 entries.
Result<Window> ReadWindow(const NodeImport& node, const Shape& in, const std::vector<int64_t>& kernel);

// The whole graph. The state keeps what was found; kUnsupported if state->unsupported is not empty.
Status ImportGraph(const onnx::ModelProto& model, ImportState* state);

}  // namespace aq::converter
