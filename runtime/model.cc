// SPDX-License-Identifier: Apache-2.0
#include "runtime/model.h"

#include <cstring>
#include <new>

#include "runtime/container.h"
#include "runtime/plan.h"
#include "runtime/validate.h"

namespace aq {
namespace {

Status VerifyMetadata(std::span<const uint8_t> bytes, Model* model) {
  // The smallest root table with an identifier; below that the verifier has nothing to say.
  constexpr size_t kSmallest = 16;
  if (bytes.size() < kSmallest) {
    return Error(Code::kCorrupt, "metadata has %zu bytes, the smallest FlatBuffer has %zu", bytes.size(), kSmallest);
  }
  model->metadata = AlignedBlock::Allocate(bytes.size());
  if (!model->metadata.data()) return Error(Code::kOutOfMemory, "no memory for %zu bytes of metadata", bytes.size());
  std::memcpy(model->metadata.data(), bytes.data(), bytes.size());
  if (!schema::ModelBufferHasIdentifier(model->metadata.data())) {
    return Error(Code::kCorrupt, "metadata lacks the FlatBuffer identifier \"%s\"", schema::ModelIdentifier());
  }
  flatbuffers::Verifier verifier(model->metadata.data(), bytes.size(), kMaxVerifierDepth, kMaxVerifierTables);
  if (!schema::VerifyModelBuffer(verifier)) {
    return Error(Code::kCorrupt, "metadata is not a valid FlatBuffer (%zu bytes)", bytes.size());
  }
  model->root = schema::GetModel(model->metadata.data());
  const uint32_t revision = model->root->format_revision();
  if (revision > kFormatRevision) {
    return Error(Code::kVersion, "file needs format revision %u, this runtime reads up to %u", revision,
                 kFormatRevision);
  }
  if (revision == 0) return Error(Code::kCorrupt, "format revision is 0, the first is 1");
  return {};
}

Status Validate(std::span<const uint8_t> bytes, Model* model) {
  AQ_ASSIGN_OR_RETURN(const Container container, OpenContainer(bytes, model->limits));
  AQ_RETURN_IF_ERROR(VerifyMetadata(container.metadata, model));
  model->segments = container.segments;
  AQ_RETURN_IF_ERROR(CheckSegments(container, model->root->segments(), model->limits));
  AQ_RETURN_IF_ERROR(ReadKeyValues(*model));
  AQ_RETURN_IF_ERROR(ReadTensors(model));
  AQ_RETURN_IF_ERROR(ReadGraph(model));
  AQ_RETURN_IF_ERROR(CheckOps(*model));
  return CheckArena(*model);
}

Result<std::unique_ptr<Model>> NewModel(const Limits& limits) {
  std::unique_ptr<Model> model(new (std::nothrow) Model);
  if (!model) return Error(Code::kOutOfMemory, "no memory for a model");
  model->limits = limits;
  return model;
}

}  // namespace

Result<std::unique_ptr<Model>> Model::Load(FileBytes file, const Limits& limits) {
  AQ_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, NewModel(limits));
  model->file = std::move(file);
  AQ_RETURN_IF_ERROR(Validate({model->file.data(), model->file.size()}, model.get()));
  return model;
}

Result<std::unique_ptr<Model>> Model::LoadCopy(std::span<const uint8_t> bytes, const Limits& limits) {
  AQ_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, NewModel(limits));
  // Opened before it is copied, so that a wrong or oversized buffer costs no memory.
  AQ_RETURN_IF_ERROR(OpenContainer(bytes, limits).status());
  model->copy = AlignedBlock::Allocate(bytes.size());
  if (!model->copy.data()) return Error(Code::kOutOfMemory, "no memory for a copy of %zu bytes", bytes.size());
  std::memcpy(model->copy.data(), bytes.data(), bytes.size());
  AQ_RETURN_IF_ERROR(Validate({model->copy.data(), model->copy.size()}, model.get()));
  return model;
}

std::span<const uint8_t> Model::Segment(uint32_t index) const {
  const schema::Segment& segment = *root->segments()->Get(index);
  return segments.subspan(static_cast<size_t>(segment.offset()), static_cast<size_t>(segment.size()));
}

}  // namespace aq
