// SPDX-License-Identifier: Apache-2.0
// What a file may ask for. Everything is checked while loading (or, for memory that depends on the instruction set,
// when a session is made); the defaults suit a small single-board computer. FORMAT.md lists them.
#pragma once

#include <cstdint>

#include "aq/aq.h"
#include "runtime/status.h"

namespace aq {

struct Limits {
  uint32_t max_tensors = 4096;
  uint64_t max_file_bytes = uint64_t{256} << 20;
  uint64_t max_metadata_bytes = uint64_t{16} << 20;
  uint32_t max_ops = 4096;
  uint32_t max_dim = 65536;
  uint64_t max_tensor_bytes = uint64_t{64} << 20;
  uint64_t max_arena_bytes = uint64_t{256} << 20;
  uint64_t max_scratch_bytes = uint64_t{16} << 20;  // per thread
  uint64_t max_weight_bytes = uint64_t{256} << 20;  // in the file, and packed for the instruction set
  uint32_t max_kernel_dim = 255;
  uint32_t max_stride = 255;  // also dilation
  uint64_t max_macs = 20'000'000'000;
  uint32_t max_string = 256;
  uint32_t max_threads = 64;
};

// Limits of the format itself: no option raises them.
inline constexpr int kMaxRank = AQ_MAX_RANK;
inline constexpr uint64_t kMaxElements = (uint64_t{1} << 31) - 1;  // of one tensor
inline constexpr uint64_t kMetadataCeiling = uint64_t{64} << 20;   // FlatBuffers' verifier asserts below 2 GiB
inline constexpr uint32_t kMaxVerifierDepth = 16;
inline constexpr uint32_t kMaxVerifierTables = 65536;
inline constexpr uint32_t kMaxOpInputs = 1024;    // of a concatenation
inline constexpr uint32_t kDimCeiling = 1 << 20;  // max_dim and friends cannot be set above

// Null or zero members mean the defaults. kInvalidArgument when struct_size is too small or a value is above its
// ceiling.
Status ReadLimits(const aq_limits* options, Limits* limits);

}  // namespace aq
