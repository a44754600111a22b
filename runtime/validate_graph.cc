// SPDX-License-Identifier: Apache-2.0
// The graph: index ranges, one writer per tensor, topological order, graph inputs and outputs; then every op's own
// validator, and what only the whole model can tell (owners of segments, the sum of work).
#include <algorithm>

#include "runtime/sizes.h"
#include "runtime/validate.h"

namespace aq {
namespace {

// What has been written, and by whom, while walking the ops in order.
struct TensorUse {
  bool is_written = false;
  bool is_input = false;
  bool is_output = false;
  bool is_read = false;
};

Status CheckIndex(const Model& model, const char* owner, const char* what, int32_t index) {
  if (index >= 0 && static_cast<size_t>(index) < model.tensors.size()) return {};
  return Error(Code::kCorrupt, "%s: %s tensor %d is not in [0, %zu)", owner, what, index, model.tensors.size());
}

Status ReadOp(const Model& model, uint32_t index, const schema::Op& table, ModelOp* op) {
  const auto& name = *table.name();
  if (name.size() > model.limits.max_string) {
    return Error(Code::kLimit, "op %u: name has %u bytes, max_string is %u", index, name.size(),
                 model.limits.max_string);
  }
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return Error(Code::kCorrupt, "op %u: control character in its name", index);
  }
  op->index = index;
  op->name = name.c_str();
  op->table = &table;
  op->inputs = Elements(table.inputs());
  op->outputs = Elements(table.outputs());
  op->kind = FindOpKind(table.attributes_type());
  if (!op->kind) {
    return Error(Code::kUnsupported, "op %s: operator number %d is unknown to this runtime", op->name,
                 static_cast<int>(table.attributes_type()));
  }
  if (!table.attributes()) return Error(Code::kCorrupt, "op %s: %s without attributes", op->name, op->kind->type);
  if (op->inputs.empty() || op->inputs.size() > kMaxOpInputs) {
    return Error(Code::kCorrupt, "op %s: %zu inputs, expected 1 to %u", op->name, op->inputs.size(), kMaxOpInputs);
  }
  if (op->outputs.empty() || op->outputs.size() > kMaxOutputs) {
    return Error(Code::kCorrupt, "op %s: %zu outputs, expected 1 to %d", op->name, op->outputs.size(), kMaxOutputs);
  }
  return {};
}

Status ReadEnds(Model* model, std::vector<TensorUse>* uses) {
  model->inputs = Elements(model->root->inputs());
  model->outputs = Elements(model->root->outputs());
  if (model->inputs.empty() || model->outputs.empty()) {
    return Error(Code::kCorrupt, "model: %zu inputs and %zu outputs, expected at least 1", model->inputs.size(),
                 model->outputs.size());
  }
  for (const int32_t index : model->inputs) {
    AQ_RETURN_IF_ERROR(CheckIndex(*model, "model", "input", index));
    TensorUse& use = (*uses)[static_cast<size_t>(index)];
    const Tensor& tensor = model->tensors[static_cast<size_t>(index)];
    if (use.is_input) return Error(Code::kCorrupt, "tensor %s: listed twice as an input", tensor.name);
    if (tensor.is_wide()) return Error(Code::kCorrupt, "tensor %s: an input of 32 bits", tensor.name);
    use.is_input = use.is_written = true;
  }
  for (const int32_t index : model->outputs) {
    AQ_RETURN_IF_ERROR(CheckIndex(*model, "model", "output", index));
    TensorUse& use = (*uses)[static_cast<size_t>(index)];
    const char* name = model->tensors[static_cast<size_t>(index)].name;
    if (use.is_output) return Error(Code::kCorrupt, "tensor %s: listed twice as an output", name);
    if (use.is_input) return Error(Code::kCorrupt, "tensor %s: both an input and an output of the model", name);
    use.is_output = true;
  }
  return {};
}

// Each segment has one owner: the work of loading stays proportional to the file.
Status ClaimSegment(const ModelOp& op, const schema::Weights& weights, std::vector<bool>* claimed) {
  if (weights.segment() >= claimed->size()) {
    return Error(Code::kCorrupt, "op %s: segment %u is not in [0, %zu)", op.name, weights.segment(), claimed->size());
  }
  if ((*claimed)[weights.segment()]) {
    return Error(Code::kCorrupt, "op %s: segment %u already belongs to an earlier op", op.name, weights.segment());
  }
  (*claimed)[weights.segment()] = true;
  return {};
}

}  // namespace

Status ReadGraph(Model* model) {
  const auto& tables = *model->root->ops();
  if (tables.size() > model->limits.max_ops) {
    return Error(Code::kLimit, "%u ops, max_ops is %u", tables.size(), model->limits.max_ops);
  }
  if (tables.size() == 0) return Error(Code::kCorrupt, "model: 0 ops, expected at least 1");
  std::vector<TensorUse> uses(model->tensors.size());
  AQ_RETURN_IF_ERROR(ReadEnds(model, &uses));
  model->ops.resize(tables.size());
  for (uint32_t i = 0; i < tables.size(); ++i) {
    ModelOp& op = model->ops[i];
    AQ_RETURN_IF_ERROR(ReadOp(*model, i, *tables.Get(i), &op));
    for (const int32_t index : op.inputs) {
      AQ_RETURN_IF_ERROR(CheckIndex(*model, op.name, "input", index));
      TensorUse& use = uses[static_cast<size_t>(index)];
      const Tensor& tensor = model->tensors[static_cast<size_t>(index)];
      if (!use.is_written) {
        return Error(Code::kCorrupt, "op %s: input %s (%d) is not written by an earlier op", op.name, tensor.name,
                     index);
      }
      if (tensor.is_wide()) {
        return Error(Code::kCorrupt, "op %s: input %s (%d) has 32 bits, only outputs of the model may", op.name,
                     tensor.name, index);
      }
      use.is_read = true;
    }
    for (const int32_t index : op.outputs) {
      AQ_RETURN_IF_ERROR(CheckIndex(*model, op.name, "output", index));
      TensorUse& use = uses[static_cast<size_t>(index)];
      const char* name = model->tensors[static_cast<size_t>(index)].name;
      if (use.is_written) {
        return Error(Code::kCorrupt, "op %s: output %s (%d) is an input of the model or already written", op.name, name,
                     index);
      }
      use.is_written = true;
    }
  }
  for (size_t i = 0; i < uses.size(); ++i) {
    const Tensor& tensor = model->tensors[i];
    if (!uses[i].is_written) return Error(Code::kCorrupt, "tensor %s (%zu): no op writes it", tensor.name, i);
    if (tensor.is_wide() && !uses[i].is_output) {
      return Error(Code::kCorrupt, "tensor %s (%zu): 32 bits, but not an output of the model", tensor.name, i);
    }
  }
  return {};
}

Status CheckOps(const Model& model) {
  std::vector<bool> claimed(model.root->segments() ? model.root->segments()->size() : 0);
  uint64_t total = 0;
  for (const ModelOp& op : model.ops) {
    if (const auto* conv = op.table->attributes_as_Conv2D()) {
      AQ_RETURN_IF_ERROR(ClaimSegment(op, *conv->weights(), &claimed));
    }
    if (const auto* dense = op.table->attributes_as_Dense()) {
      AQ_RETURN_IF_ERROR(ClaimSegment(op, *dense->weights(), &claimed));
    }
    uint64_t work = 0;
    AQ_RETURN_IF_ERROR(op.kind->validate(OpContext{model, op}, &work));
    if (!CheckedAdd(total, work, &total) || total > model.limits.max_macs) {
      return Error(Code::kLimit, "op %s: %llu multiply-adds up to here, max_macs is %llu", op.name,
                   static_cast<unsigned long long>(total), static_cast<unsigned long long>(model.limits.max_macs));
    }
  }
  for (size_t i = 0; i < claimed.size(); ++i) {
    if (!claimed[i]) return Error(Code::kCorrupt, "segment %zu: no op uses it", i);
  }
  return {};
}

// ---- Small checks shared by the ops' validators --------------------------------------------------------------------

Status CheckRange(const ModelOp& op, const char* what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return {};
  return Error(Code::kCorrupt, "op %s: %s is %lld, not in [%lld, %lld]", op.name, what, static_cast<long long>(value),
               static_cast<long long>(low), static_cast<long long>(high));
}

Status CheckInputs(const ModelOp& op, size_t low, size_t high) {
  return CheckRange(op, "number of inputs", static_cast<int64_t>(op.inputs.size()), static_cast<int64_t>(low),
                    static_cast<int64_t>(high));
}

Status CheckOutputs(const ModelOp& op, size_t low, size_t high) {
  return CheckRange(op, "number of outputs", static_cast<int64_t>(op.outputs.size()), static_cast<int64_t>(low),
                    static_cast<int64_t>(high));
}

Status CheckShape(const OpContext& op, size_t index, std::span<const int32_t> expected) {
  const Tensor& tensor = op.output(index);
  const auto dims = tensor.shape.span();
  if (dims.size() != expected.size()) {
    return Error(Code::kCorrupt, "op %s: output %s has rank %zu, computed %zu", op.op.name, tensor.name, dims.size(),
                 expected.size());
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != expected[i]) {
      return Error(Code::kCorrupt, "op %s: dimension %zu of output %s is %d, computed %d", op.op.name, i, tensor.name,
                   dims[i], expected[i]);
    }
  }
  return {};
}

Status CheckSameQuantization(const OpContext& op) {
  const Tensor& in = op.input(0);
  const Tensor& out = op.output(0);
  if (in.bits() == out.bits() && in.zero_point == out.zero_point && in.scale == out.scale) return {};
  return Error(Code::kCorrupt, "op %s: output %s has %d bits, zero point %d, scale %g; input %s has %d, %d, %g",
               op.op.name, out.name, out.bits(), out.zero_point, static_cast<double>(out.scale), in.name, in.bits(),
               in.zero_point, static_cast<double>(in.scale));
}

Status CheckIsCodes(const OpContext& op, size_t index) {
  if (!op.output(index).is_wide()) return {};
  return Error(Code::kUnsupported, "op %s: %s cannot write output %s of 32 bits", op.op.name, op.op.kind->type,
               op.output(index).name);
}

Status CheckRank(const OpContext& op, const Tensor& tensor, int rank) {
  if (tensor.shape.rank == rank) return {};
  return Error(Code::kCorrupt, "op %s: tensor %s has rank %d, expected %d", op.op.name, tensor.name, tensor.shape.rank,
               rank);
}

Status CheckIsImage(const OpContext& op, const Tensor& tensor) {
  if (tensor.shape.rank == 4 || tensor.shape.rank == 2) return {};
  return Error(Code::kCorrupt, "op %s: tensor %s has rank %d, expected 4 or 2", op.op.name, tensor.name,
               tensor.shape.rank);
}

Image ImageOf(const Shape& shape) {
  if (shape.rank == 4) return {shape.dims[1], shape.dims[2], shape.dims[3]};
  return {1, 1, shape.dims[1]};
}

}  // namespace aq
