// SPDX-License-Identifier: Apache-2.0
// Carries out a Plan: allocates once, packs the weights, then runs as often as asked. Run allocates nothing and cannot
// fail. One thread at a time (c_api.cc guards that); the model outlives the interpreter.
#pragma once

#include <memory>
#include <vector>

#include "platforms/parallel.h"
#include "runtime/plan.h"

namespace aq {

struct InterpreterOptions {
  Target target;
  int num_threads = 1;
  Parallel::ExternalFor external_for = nullptr;  // the caller's scheduler
  void* external_user = nullptr;
  // Each tensor in an allocation of its own, exactly its size and kReadSlack: lets sanitizers see what an arena hides.
  bool isolate_tensors = false;
};

class Interpreter {
 public:
  // Called after each op on the thread that runs; nanoseconds of wall time.
  using Observer = void (*)(void* user, size_t op, uint64_t nanoseconds);

  static Result<std::unique_ptr<Interpreter>> Create(const Model& model, const InterpreterOptions& options);

  uint8_t* tensor(int32_t index) { return tensors_[static_cast<size_t>(index)]; }
  const uint8_t* tensor(int32_t index) const { return tensors_[static_cast<size_t>(index)]; }
  void set_observer(Observer observer, void* user) {
    observer_ = observer;
    observer_user_ = user;
  }
  void Run();

  const Plan& plan() const { return plan_; }
  const PreparedOp& op(size_t index) const { return ops_[index]; }
  int num_threads() const { return parallel_->num_threads(); }
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  explicit Interpreter(const Model& model) : model_(model) {}
  Status Allocate(const InterpreterOptions& options);
  void BindOps();
  void RunOp(size_t index);
  void ClampInputs();

  const Model& model_;
  Plan plan_;
  AlignedBlock constants_;              // packed weights, arrays, op states
  AlignedBlock arena_;                  // tensors, then scratch of each thread
  std::vector<AlignedBlock> isolated_;  // instead, with isolate_tensors
  std::vector<PreparedOp> ops_;
  std::vector<uint8_t*> tensors_;
  std::vector<const uint8_t*> op_inputs_;  // of all ops, one after another
  std::vector<void*> op_outputs_;
  std::vector<RunArguments> arguments_;
  uint8_t* scratch_ = nullptr;
  size_t scratch_stride_ = 0;
  std::unique_ptr<Parallel> parallel_;
  size_t memory_bytes_ = 0;
  Observer observer_ = nullptr;
  void* observer_user_ = nullptr;
};

}  // namespace aq
