// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "kernels/gemm/gemm.h"

namespace aq {
namespace {

// Inputs live through the whole run (they may be run again unchanged) and outputs until the next; the others from the
// op that writes them to the last that reads them.
std::vector<Lifetime> LifetimesOf(const Model& model) {
  const int32_t end = static_cast<int32_t>(model.ops.size());
  std::vector<Lifetime> tensors(model.tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].bytes = uint64_t{model.tensors[i].bytes} + kReadSlack;
  for (const ModelOp& op : model.ops) {
    const int32_t now = static_cast<int32_t>(op.index);
    for (const int32_t out : op.outputs)
      tensors[static_cast<size_t>(out)].first = tensors[static_cast<size_t>(out)].last = now;
    for (const int32_t in : op.inputs) tensors[static_cast<size_t>(in)].last = now;
  }
  for (const int32_t in : model.inputs) {
    tensors[static_cast<size_t>(in)].first = -1;
    tensors[static_cast<size_t>(in)].last = end;
  }
  for (const int32_t out : model.outputs) tensors[static_cast<size_t>(out)].last = end;
  return tensors;
}

Status CheckMemory(const char* what, uint64_t bytes, const char* limit_name, uint64_t limit) {
  if (bytes <= limit) return {};
  return Error(Code::kLimit, "%s of %llu bytes, %s is %llu", what, static_cast<unsigned long long>(bytes), limit_name,
               static_cast<unsigned long long>(limit));
}

Status LayOut(const Model& model, Plan* plan) {
  plan->tensors = LifetimesOf(model);
  plan->arena = LayOutArena(plan->tensors);
  return CheckMemory("arena", plan->arena.bytes, "max_arena_bytes", model.limits.max_arena_bytes);
}

[[gnu::format(printf, 2, 3)]] void Append(std::string* text, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  *text += line;
}

}  // namespace

Status CheckArena(const Model& model) {
  Plan plan;
  return LayOut(model, &plan);
}

Result<Plan> MakePlan(const Model& model, const Target& target) {
  Plan plan;
  AQ_RETURN_IF_ERROR(LayOut(model, &plan));
  ConstantMemory measure;
  for (const ModelOp& op : model.ops) {
    PreparedOp prepared;
    op.kind->prepare(OpContext{model, op}, target, &measure, &prepared);
    plan.scratch_bytes = std::max(plan.scratch_bytes, uint64_t{prepared.scratch_bytes});
    plan.ops.push_back(prepared);
    AQ_RETURN_IF_ERROR(
        CheckMemory("packed weights", measure.used(), "max_weight_bytes", model.limits.max_weight_bytes));
  }
  plan.constant_bytes = measure.used();
  AQ_RETURN_IF_ERROR(
      CheckMemory("scratch per thread", plan.scratch_bytes, "max_scratch_bytes", model.limits.max_scratch_bytes));
  return plan;
}

std::string Plan::ToString(const Model& model) const {
  std::string text;
  Append(&text, "arena %llu bytes, packed weights %llu, scratch per thread %llu\n",
         static_cast<unsigned long long>(arena.bytes), static_cast<unsigned long long>(constant_bytes),
         static_cast<unsigned long long>(scratch_bytes));
  for (size_t i = 0; i < ops.size(); ++i) {
    const ModelOp& op = model.ops[i];
    Append(&text, "%4zu %-9s %-20s %12llu macs  %s ->", i, op.kind->type, ops[i].kernel,
           static_cast<unsigned long long>(ops[i].macs), op.name);
    for (const int32_t out : op.outputs) {
      const size_t index = static_cast<size_t>(out);
      Append(&text, "  [%llu, +%llu) ops %d..%d", static_cast<unsigned long long>(arena.offsets[index]),
             static_cast<unsigned long long>(tensors[index].bytes), tensors[index].first, tensors[index].last);
    }
    const uint64_t direct = ops[i].costs[static_cast<int>(Technique::kDirect)];
    for (int t = 0; direct != 0 && t < kTechniqueCount; ++t) {
      if (ops[i].costs[t] == 0) continue;
      Append(&text, "  %s %.2f", kTechniqueNames[t],
             static_cast<double>(ops[i].costs[t]) / static_cast<double>(direct));
    }
    text += '\n';
  }
  return text;
}

}  // namespace aq
