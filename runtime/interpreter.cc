// SPDX-License-Identifier: Apache-2.0
#include "runtime/interpreter.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "kernels/gemm/gemm.h"

namespace aq {
namespace {

// Below this much work per piece, waking a thread costs more than it saves.
constexpr uint64_t kWorkPerPiece = 65536;
// Every thread takes a large piece of an op, and a small one when it is done: a slow core does not hold up the others,
// and what each piece makes for itself (decoded weights, transformed activations) is made no more than twice a thread.
constexpr size_t kPiecesPerThread = 2, kLargeShares = 3, kSmallShares = 1;

size_t AlignUp(size_t bytes) { return (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment; }

Status NoMemory(const char* what, uint64_t bytes) {
  return Error(Code::kOutOfMemory, "no memory for %llu bytes of %s", static_cast<unsigned long long>(bytes), what);
}

// One op being run by several threads.
struct Split {
  const PreparedOp* op;
  const RunArguments* arguments;
  size_t pieces, threads;
  uint8_t* scratch;
  size_t scratch_stride;

  size_t SharesBefore(size_t piece) const {
    const size_t large = std::min(piece, threads);
    return large * kLargeShares + (piece - large) * kSmallShares;
  }
  size_t Begin(size_t piece) const { return op->units * SharesBefore(piece) / SharesBefore(pieces); }
};

void RunPiece(void* context, size_t index, size_t thread) {
  const Split& split = *static_cast<const Split*>(context);
  const size_t begin = split.Begin(index), end = split.Begin(index + 1);
  if (begin == end) return;  // a small piece of very few units
  split.op->run(split.op->state, *split.arguments, begin, end, split.scratch + thread * split.scratch_stride);
}

}  // namespace

Result<std::unique_ptr<Interpreter>> Interpreter::Create(const Model& model, const InterpreterOptions& options) {
  std::unique_ptr<Interpreter> interpreter(new (std::nothrow) Interpreter(model));
  if (!interpreter) return NoMemory("interpreter", sizeof(Interpreter));
  AQ_ASSIGN_OR_RETURN(interpreter->plan_, MakePlan(model, options.target));
  interpreter->parallel_ =
      options.external_for ? Parallel::CreateExternal(options.external_for, options.external_user, options.num_threads)
                           : Parallel::Create(options.num_threads);
  if (!interpreter->parallel_) return NoMemory("thread pool", 0);
  AQ_RETURN_IF_ERROR(interpreter->Allocate(options));
  interpreter->BindOps();
  return interpreter;
}

Status Interpreter::Allocate(const InterpreterOptions& options) {
  if (plan_.constant_bytes > SIZE_MAX / 2 || plan_.arena.bytes > SIZE_MAX / 4) {  // 32-bit machines
    return NoMemory("weights and arena", plan_.constant_bytes + plan_.arena.bytes);
  }
  constants_ = AlignedBlock::Allocate(static_cast<size_t>(plan_.constant_bytes));
  if (!constants_.data()) return NoMemory("packed weights", plan_.constant_bytes);

  scratch_stride_ = AlignUp(static_cast<size_t>(plan_.scratch_bytes));
  const size_t arena_bytes = options.isolate_tensors ? 0 : AlignUp(static_cast<size_t>(plan_.arena.bytes));
  const size_t total = arena_bytes + scratch_stride_ * static_cast<size_t>(parallel_->num_threads());
  arena_ = AlignedBlock::Allocate(total);
  if (!arena_.data()) return NoMemory("arena and scratch", total);
  scratch_ = arena_.data() + arena_bytes;
  memory_bytes_ = constants_.size() + total;

  for (size_t i = 0; i < model_.tensors.size(); ++i) {
    if (!options.isolate_tensors) {
      tensors_.push_back(arena_.data() + plan_.arena.offsets[i]);
      continue;
    }
    isolated_.push_back(AlignedBlock::Allocate(static_cast<size_t>(plan_.tensors[i].bytes)));
    if (!isolated_.back().data()) return NoMemory("a tensor", plan_.tensors[i].bytes);
    memory_bytes_ += isolated_.back().size();
    tensors_.push_back(isolated_.back().data());
  }
  ConstantMemory memory(&constants_);
  for (const ModelOp& op : model_.ops) {
    PreparedOp prepared;
    op.kind->prepare(OpContext{model_, op}, options.target, &memory, &prepared);
    ops_.push_back(prepared);
  }
  assert(memory.used() == plan_.constant_bytes);
  return {};
}

void Interpreter::BindOps() {
  size_t inputs = 0, outputs = 0;
  for (const ModelOp& op : model_.ops) {
    for (const int32_t index : op.inputs) op_inputs_.push_back(tensor(index));
    for (const int32_t index : op.outputs) op_outputs_.push_back(tensor(index));
  }
  for (const ModelOp& op : model_.ops) {
    arguments_.push_back({op_inputs_.data() + inputs, op_outputs_.data() + outputs});
    inputs += op.inputs.size();
    outputs += op.outputs.size();
  }
}

// Kernels rely on codes being in range; the caller's bytes may be anything.
void Interpreter::ClampInputs() {
  for (const int32_t index : model_.inputs) {
    const Tensor& input = model_.tensors[static_cast<size_t>(index)];
    if (input.bits() == 8) continue;
    const uint8_t max_code = static_cast<uint8_t>(input.max_code());
    uint8_t* codes = tensor(index);
    for (size_t i = 0; i < input.bytes; ++i) codes[i] = std::min(codes[i], max_code);
  }
}

void Interpreter::RunOp(size_t index) {
  const PreparedOp& op = ops_[index];
  const size_t threads = static_cast<size_t>(parallel_->num_threads());
  const uint64_t useful = std::max<uint64_t>(1, op.work / kWorkPerPiece);
  size_t pieces = threads == 1 ? 1 : threads * kPiecesPerThread;
  pieces = std::min<size_t>({pieces, op.units, static_cast<size_t>(useful)});
  Split split{&op, &arguments_[index], pieces, threads, scratch_, scratch_stride_};
  parallel_->For(pieces, RunPiece, &split);
}

void Interpreter::Run() {
  ClampInputs();
  for (size_t i = 0; i < ops_.size(); ++i) {
    if (!observer_) {
      RunOp(i);
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    RunOp(i);
    const auto time = std::chrono::steady_clock::now() - begin;
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
    observer_(observer_user_, i, static_cast<uint64_t>(nanoseconds));
  }
  parallel_->Rest();
}

}  // namespace aq
