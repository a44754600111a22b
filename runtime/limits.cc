// SPDX-License-Identifier: Apache-2.0
#include "runtime/limits.h"

namespace aq {
namespace {

template <class T>
void Override(T value, T* limit) {
  if (value != 0) *limit = value;
}

Status CheckCeiling(const char* name, uint64_t value, uint64_t ceiling) {
  if (value <= ceiling) return {};
  return Error(Code::kInvalidArgument, "aq_limits.%s = %llu is above %llu", name,
               static_cast<unsigned long long>(value), static_cast<unsigned long long>(ceiling));
}

}  // namespace

Status ReadLimits(const aq_limits* options, Limits* limits) {
  *limits = Limits();
  if (!options) return {};
  if (options->struct_size < sizeof(aq_limits)) {
    return Error(Code::kInvalidArgument, "aq_limits.struct_size = %u, expected at least %zu", options->struct_size,
                 sizeof(aq_limits));
  }
  Override(options->max_tensors, &limits->max_tensors);
  Override(options->max_file_bytes, &limits->max_file_bytes);
  Override(options->max_metadata_bytes, &limits->max_metadata_bytes);
  Override(options->max_ops, &limits->max_ops);
  Override(options->max_dim, &limits->max_dim);
  Override(options->max_tensor_bytes, &limits->max_tensor_bytes);
  Override(options->max_arena_bytes, &limits->max_arena_bytes);
  Override(options->max_scratch_bytes, &limits->max_scratch_bytes);
  Override(options->max_weight_bytes, &limits->max_weight_bytes);
  Override(options->max_kernel_dim, &limits->max_kernel_dim);
  Override(options->max_stride, &limits->max_stride);
  Override(options->max_macs, &limits->max_macs);
  Override(options->max_string, &limits->max_string);
  Override(options->max_threads, &limits->max_threads);
  // Ceilings keep the loader's own arithmetic (int32 coordinates, FlatBuffers' offsets) free of overflow.
  AQ_RETURN_IF_ERROR(CheckCeiling("max_metadata_bytes", limits->max_metadata_bytes, kMetadataCeiling));
  AQ_RETURN_IF_ERROR(CheckCeiling("max_dim", limits->max_dim, kDimCeiling));
  AQ_RETURN_IF_ERROR(CheckCeiling("max_kernel_dim", limits->max_kernel_dim, 4096));
  AQ_RETURN_IF_ERROR(CheckCeiling("max_stride", limits->max_stride, 4096));
  AQ_RETURN_IF_ERROR(CheckCeiling("max_threads", limits->max_threads, 1024));
  AQ_RETURN_IF_ERROR(CheckCeiling("max_macs", limits->max_macs, uint64_t{1} << 60));
  return {};
}

}  // namespace aq
