// SPDX-License-Identifier: Apache-2.0
// An operator is a row of ops.inc and one file in ops/: Validate (at load), Prepare (at session creation), and the Run
// function that Prepare chooses. No class hierarchy; state is a plain struct in the session's constant memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "kernels/technique.h"
#include "platforms/cpu.h"
#include "runtime/memory.h"
#include "runtime/model.h"

namespace aq {

struct OpContext {
  const Model& model;
  const ModelOp& op;

  const Tensor& input(size_t i) const { return model.tensors[static_cast<size_t>(op.inputs[i])]; }
  const Tensor& output(size_t i) const { return model.tensors[static_cast<size_t>(op.outputs[i])]; }
};

struct RunArguments {
  const uint8_t* const* inputs = nullptr;
  void* const* outputs = nullptr;
};

// What a session is prepared for.
struct Target {
  IsaSet isas;
  std::optional<Technique> technique = {};  // for every layer to which it applies; else the cheapest
};

// An op ready to run. Units (output pixels, rows ...) can be split between threads in any way: same bits.
struct PreparedOp {
  const void* state = nullptr;
  void (*run)(const void* state, const RunArguments& arguments, size_t begin, size_t end, void* scratch) = nullptr;
  const char* kernel = "";
  size_t units = 1;
  size_t scratch_bytes = 0;  // per thread
  uint64_t work = 0;         // multiply-adds or bytes touched: decides how far it is worth splitting
  uint64_t macs = 0;
  // Of layers with weights: what the cost models gave (kernels/gemm/gemm.h), 0 where a technique does not apply.
  uint64_t costs[kTechniqueCount] = {};
};

struct OpKind {
  const char* type;  // "Conv2D"
  // Everything Prepare and Run rely on. *work: multiply-adds or elements touched.
  Status (*validate)(const OpContext& op, uint64_t* work);
  // Called twice with the same arguments: to measure (memory->is_measuring(): pointers must not be followed), then for
  // real. Cannot fail.
  void (*prepare)(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared);
};

// Null when this runtime does not know the operator.
const OpKind* FindOpKind(schema::OpAttributes attributes);

}  // namespace aq
