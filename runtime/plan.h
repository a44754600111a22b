// SPDX-License-Identifier: Apache-2.0
// Model + instruction sets -> Plan: which kernel runs each op, where each tensor lies, how much memory a session needs.
// Plain data that prints itself; the interpreter carries it out. The order of ops is the file's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platforms/cpu.h"
#include "runtime/arena.h"
#include "runtime/model.h"
#include "runtime/op.h"

namespace aq {

struct Plan {
  std::vector<PreparedOp> ops;    // measured only: `state` must not be followed
  std::vector<Lifetime> tensors;  // bytes include kReadSlack
  ArenaLayout arena;
  uint64_t constant_bytes = 0;
  uint64_t scratch_bytes = 0;  // per thread

  std::string ToString(const Model& model) const;
};

// kLimit when constants, scratch or arena pass the model's limits.
Result<Plan> MakePlan(const Model& model, const Target& target);

// The part of it that does not depend on the instruction set, for the loader.
Status CheckArena(const Model& model);

}  // namespace aq
