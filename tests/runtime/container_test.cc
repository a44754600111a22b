// SPDX-License-Identifier: Apache-2.0
// With checksums on, no changed byte and no cut goes unnoticed.
#include "runtime/container.h"

#include <gtest/gtest.h>

#include "runtime/crc32c.h"
#include "runtime/model.h"
#include "tests/runtime/gallery.h"

namespace aq::test {
namespace {

Code LoadCode(std::span<const uint8_t> file) {
  auto loaded = Model::LoadCopy(file, Limits());
  if (loaded.ok()) return Code::kOk;
  EXPECT_FALSE(loaded.status().message().empty());
  return loaded.status().code();
}

TEST(Crc32c, KnownValues) {
  const std::string digits = "123456789";
  EXPECT_EQ(Crc32c({reinterpret_cast<const uint8_t*>(digits.data()), digits.size()}), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0)), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0xff)), 0x62a8ab43u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Container, EveryTruncationAndExtensionIsRejected) {
  Bytes file = SmallNetwork().Build();
  ASSERT_EQ(LoadCode(file), Code::kOk);
  for (size_t size = 0; size < file.size(); ++size) {
    ASSERT_EQ(LoadCode({file.data(), size}), Code::kCorrupt) << size;
  }
  file.push_back(0);
  EXPECT_EQ(LoadCode(file), Code::kCorrupt);
  file.resize(file.size() + 63);
  EXPECT_EQ(LoadCode(file), Code::kCorrupt);
}

TEST(Container, EveryChangedByteIsRejected) {
  Bytes file = SmallNetwork().Build();
  for (size_t i = 0; i < file.size(); ++i) {
    const uint8_t original = file[i];
    for (const uint8_t value : {uint8_t(original ^ 0xff), uint8_t(original + 1), uint8_t(0), uint8_t(original ^ 1)}) {
      if (value == original) continue;
      file[i] = value;
      const Code code = LoadCode(file);
      ASSERT_TRUE(code == Code::kCorrupt || code == Code::kVersion)
          << "byte " << i << " gives " << static_cast<int>(code);
      ASSERT_TRUE(code == Code::kCorrupt || (i >= 8 && i < 12)) << "byte " << i;
    }
    file[i] = original;
  }
  EXPECT_EQ(LoadCode(file), Code::kOk);
}

TEST(Container, NewerFilesNeedANewerRuntime) {
  ModelBuilder builder = SmallNetwork();
  builder.model.format_revision = kFormatRevision + 1;
  auto loaded = Model::LoadCopy(builder.Build(), Limits());
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kVersion);
  EXPECT_NE(loaded.status().message().find("revision 2"), std::string::npos) << loaded.status().message();
}

TEST(Container, UnalignedBufferLoads) {
  const Bytes file = SmallNetwork().Build();
  Bytes shifted(file.size() + 1);
  std::copy(file.begin(), file.end(), shifted.begin() + 1);
  EXPECT_EQ(LoadCode({shifted.data() + 1, file.size()}), Code::kOk);
}

}  // namespace
}  // namespace aq::test
