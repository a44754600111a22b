// SPDX-License-Identifier: Apache-2.0
#include "runtime/sizes.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

namespace aq {
namespace {

// The same by divisions: nothing is multiplied before it is known to fit. (32-bit targets have no 128-bit integers.)
bool Model(std::span<const int32_t> dims, uint64_t bits, uint64_t alignment, uint64_t* bytes) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  uint64_t total = bits;
  for (const int32_t dim : dims) {
    if (dim < 1 || total > kMax / static_cast<uint64_t>(dim)) return false;
    total *= static_cast<uint64_t>(dim);
  }
  const uint64_t whole = total / 8 + (total % 8 != 0 ? 1 : 0);
  const uint64_t blocks = whole / alignment + (whole % alignment != 0 ? 1 : 0);
  if (blocks > kMax / alignment) return false;
  *bytes = blocks * alignment;
  return true;
}

TEST(CheckedBytes, EqualsTheModel) {
  std::vector<int32_t> values = {
      -1, 0, 1, 2, 3, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()};
  for (int bit = 3; bit < 31; bit += 3) {
    values.insert(values.end(), {(1 << bit) - 1, 1 << bit, (1 << bit) + 1});
  }
  size_t overflows = 0, sizes = 0;
  for (const int32_t a : values)
    for (const int32_t b : values)
      for (const int32_t c : values)
        for (const uint64_t bits : {2, 4, 8, 16, 32})
          for (const uint64_t alignment : {1, 64}) {
            const std::array<int32_t, 4> dims = {a, b, c, a};
            uint64_t expected = 0, bytes = 0;
            const bool fits = Model(dims, bits, alignment, &expected);
            ASSERT_EQ(CheckedBytes(dims, bits, alignment, &bytes), fits) << a << " " << b << " " << c << " " << bits;
            if (fits) {
              ASSERT_EQ(bytes, expected) << a << " " << b << " " << c << " " << bits;
            }
            ++(fits ? sizes : overflows);
          }
  EXPECT_GT(overflows, 1000u);
  EXPECT_GT(sizes, 1000u);
}

TEST(CheckedBytes, RoundsSubByteFieldsUpOnce) {
  const std::array<int32_t, 3> dims = {3, 1, 3};
  uint64_t bytes = 0;
  ASSERT_TRUE(CheckedBytes(dims, 2, 1, &bytes));
  EXPECT_EQ(bytes, 3u);
  ASSERT_TRUE(CheckedBytes(dims, 4, 64, &bytes));
  EXPECT_EQ(bytes, 64u);
}

TEST(CheckedAlign, FailsNearTheTop) {
  uint64_t aligned = 0;
  EXPECT_FALSE(CheckedAlign(std::numeric_limits<uint64_t>::max() - 3, 64, &aligned));
  EXPECT_TRUE(CheckedAlign(64, 64, &aligned));
  EXPECT_EQ(aligned, 64u);
}

}  // namespace
}  // namespace aq
