// SPDX-License-Identifier: Apache-2.0
// Tensors and strings: shapes, sizes, scales, zero points, borders, thresholds, names.
#include <cmath>
#include <cstring>

#include "runtime/sizes.h"
#include "runtime/validate.h"

namespace aq {
namespace {

constexpr uint32_t kMaxThreshold = MaxLevel(2) << kFractionBits;

Status CheckString(const Limits& limits, const char* what, uint32_t index, const flatbuffers::String& text) {
  if (text.size() > limits.max_string) {
    return Error(Code::kLimit, "%s %u: name has %u bytes, max_string is %u", what, index, text.size(),
                 limits.max_string);
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return Error(Code::kCorrupt, "%s %u: control character %02x in its name", what, index, byte);
    }
  }
  return {};
}

Status ReadShape(const Limits& limits, const schema::Tensor& table, Tensor* tensor) {
  const auto dims = Elements(table.shape());
  if (dims.empty() || dims.size() > kMaxRank) {
    return Error(Code::kCorrupt, "tensor %s: rank %zu is not in [1, %d]", tensor->name, dims.size(), kMaxRank);
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 1) return Error(Code::kCorrupt, "tensor %s: dimension %zu is %d, below 1", tensor->name, i, dims[i]);
    if (static_cast<uint32_t>(dims[i]) > limits.max_dim) {
      return Error(Code::kLimit, "tensor %s: dimension %zu is %d, max_dim is %u", tensor->name, i, dims[i],
                   limits.max_dim);
    }
    tensor->shape.dims[i] = dims[i];
  }
  tensor->shape.rank = static_cast<int>(dims.size());
  if (dims[0] != 1)
    return Error(Code::kUnsupported, "tensor %s: batch is %d, only 1 is supported", tensor->name, dims[0]);
  uint64_t bytes = 0;
  if (!CheckedBytes(dims, 8, 1, &tensor->elements) || tensor->elements > kMaxElements ||
      !CheckedBytes(dims, tensor->is_wide() ? 32 : 8, 1, &bytes) || bytes > limits.max_tensor_bytes) {
    return Error(Code::kLimit, "tensor %s: %llu elements of %d bits, max_tensor_bytes is %llu", tensor->name,
                 static_cast<unsigned long long>(tensor->elements), tensor->bits(),
                 static_cast<unsigned long long>(limits.max_tensor_bytes));
  }
  tensor->bytes = static_cast<size_t>(bytes);
  return {};
}

Status ReadBorders(const schema::Tensor& table, Tensor* tensor) {
  if (table.border()) {
    if (tensor->is_wide() || table.border()->size() != kBorderEntries) {
      return Error(Code::kCorrupt, "tensor %s: %u borders for %d bits, expected %d, or none for 32 bits", tensor->name,
                   table.border()->size(), tensor->bits(), kBorderEntries);
    }
    std::memcpy(tensor->rounding.border, table.border()->data(), kBorderEntries);
  }
  const auto thresholds = Elements(table.channel_thresholds());
  if (!table.channel_thresholds()) return {};
  const size_t expected = static_cast<size_t>(tensor->channels()) * kThresholds;
  if (tensor->bits() != 2 || thresholds.size() != expected) {
    return Error(Code::kCorrupt, "tensor %s: %zu channel thresholds for %d bits, expected %zu, and 2 bits",
                 tensor->name, thresholds.size(), tensor->bits(), expected);
  }
  for (size_t i = 0; i < expected; i += kThresholds) {
    if (thresholds[i] > thresholds[i + 1] || thresholds[i + 1] > thresholds[i + 2] ||
        thresholds[i + 2] > kMaxThreshold) {
      return Error(Code::kCorrupt, "tensor %s: thresholds %u, %u, %u of channel %zu do not ascend up to %u",
                   tensor->name, thresholds[i], thresholds[i + 1], thresholds[i + 2], i / kThresholds, kMaxThreshold);
    }
  }
  tensor->thresholds = thresholds;
  return {};
}

Status ReadTensor(const Limits& limits, uint32_t index, const schema::Tensor& table, Tensor* tensor) {
  AQ_RETURN_IF_ERROR(CheckString(limits, "tensor", index, *table.name()));
  tensor->name = table.name()->c_str();
  const int bits = table.bits();
  if (bits != 2 && bits != 4 && bits != 8 && bits != 32) {
    return Error(Code::kCorrupt, "tensor %s: %d bits, expected 2, 4, 8 or 32", tensor->name, bits);
  }
  tensor->rounding.bits = bits;
  AQ_RETURN_IF_ERROR(ReadShape(limits, table, tensor));
  tensor->scale = table.scale();
  if (!std::isnormal(tensor->scale) || tensor->scale < 0) {
    return Error(Code::kCorrupt, "tensor %s: scale %g is not a normal positive number", tensor->name,
                 static_cast<double>(tensor->scale));
  }
  tensor->zero_point = table.zero_point();
  const int32_t max_zero_point = tensor->is_wide() ? 0 : tensor->max_code();
  if (tensor->zero_point > max_zero_point) {
    return Error(Code::kCorrupt, "tensor %s: zero point %d is above %d", tensor->name, tensor->zero_point,
                 max_zero_point);
  }
  return ReadBorders(table, tensor);
}

}  // namespace

Status ReadKeyValues(const Model& model) {
  if (!model.root->metadata()) return {};
  uint64_t bytes = 0;  // strings may be shared: without this a small file describes itself at great length
  for (uint32_t i = 0; i < model.root->metadata()->size(); ++i) {
    const schema::KeyValue& pair = *model.root->metadata()->Get(i);
    AQ_RETURN_IF_ERROR(CheckString(model.limits, "metadata key", i, *pair.key()));
    bytes += pair.value()->size();
    if (std::memchr(pair.value()->c_str(), 0, pair.value()->size())) {
      return Error(Code::kCorrupt, "metadata %s: NUL inside its value", pair.key()->c_str());
    }
    if (bytes > model.limits.max_metadata_bytes) {
      return Error(Code::kLimit, "metadata values have %llu bytes, max_metadata_bytes is %llu",
                   static_cast<unsigned long long>(bytes),
                   static_cast<unsigned long long>(model.limits.max_metadata_bytes));
    }
  }
  return {};
}

Status ReadTensors(Model* model) {
  const auto& tables = *model->root->tensors();
  if (tables.size() > model->limits.max_tensors) {
    return Error(Code::kLimit, "%u tensors, max_tensors is %u", tables.size(), model->limits.max_tensors);
  }
  model->tensors.resize(tables.size());
  for (uint32_t i = 0; i < tables.size(); ++i) {
    AQ_RETURN_IF_ERROR(ReadTensor(model->limits, i, *tables.Get(i), &model->tensors[i]));
  }
  return {};
}

}  // namespace aq
