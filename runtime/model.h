// SPDX-License-Identifier: Apache-2.0
// A loaded, fully verified model: what everything after Load may rely on without checking again. Immutable and shared
// between sessions. Structure is checked first (container.h, the FlatBuffers verifier), then meaning (validate.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "platforms/memory.h"
#include "runtime/limits.h"
#include "runtime/status.h"
#include "runtime/tensor.h"
#include "schema/model_generated.h"

namespace aq {

// Newest model.fbs revision this runtime reads; it reads all older ones.
inline constexpr uint32_t kFormatRevision = 1;

struct OpKind;  // op.h

struct ModelOp {
  uint32_t index = 0;
  const char* name = "";
  const OpKind* kind = nullptr;
  const schema::Op* table = nullptr;
  std::span<const int32_t> inputs, outputs;
};

struct Model {
  // The bytes are kept: weights stay in `file`, metadata is read from an aligned copy. kCorrupt, kVersion, kLimit,
  // kUnsupported or kOutOfMemory, with a message that names the op or tensor and both numbers.
  static Result<std::unique_ptr<Model>> Load(FileBytes file, const Limits& limits);
  static Result<std::unique_ptr<Model>> LoadCopy(std::span<const uint8_t> bytes, const Limits& limits);

  std::span<const uint8_t> Segment(uint32_t index) const;

  Limits limits;
  std::vector<Tensor> tensors;
  std::vector<ModelOp> ops;
  std::span<const int32_t> inputs, outputs;
  const schema::Model* root = nullptr;

  // What the above point into.
  AlignedBlock metadata;
  AlignedBlock copy;  // of the whole file (LoadCopy), or
  FileBytes file;     // the file itself
  std::span<const uint8_t> segments;
};

}  // namespace aq
