// SPDX-License-Identifier: Apache-2.0
// The one checked size computation: dimensions -> elements -> bits -> bytes -> padded bytes. Sub-byte types make every
// other way of writing it wrong sooner or later. Used by the loader, the planner and the tests; no other file
// multiplies dimensions into bytes.
#pragma once

#include <cstdint>
#include <span>

namespace aq {

[[nodiscard]] inline bool CheckedMultiply(uint64_t a, uint64_t b, uint64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}
[[nodiscard]] inline bool CheckedAdd(uint64_t a, uint64_t b, uint64_t* sum) {
  return !__builtin_add_overflow(a, b, sum);
}

// False on overflow. `alignment` is a power of two.
[[nodiscard]] inline bool CheckedAlign(uint64_t value, uint64_t alignment, uint64_t* aligned) {
  if (!CheckedAdd(value, alignment - 1, aligned)) return false;
  *aligned &= ~(alignment - 1);
  return true;
}

// Bytes of a dense array of `bits`-bit fields, rounded up once to whole bytes and then to `alignment` (a power of two).
// False when a dimension is below 1 or anything overflows.
[[nodiscard]] inline bool CheckedBytes(std::span<const int32_t> dims, uint64_t bits, uint64_t alignment,
                                       uint64_t* bytes) {
  uint64_t total = bits;
  for (const int32_t dim : dims) {
    if (dim < 1 || !CheckedMultiply(total, static_cast<uint64_t>(dim), &total)) return false;
  }
  return CheckedAlign(total / 8 + (total % 8 != 0), alignment, bytes);
}

}  // namespace aq
