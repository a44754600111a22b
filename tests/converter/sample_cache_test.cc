// SPDX-License-Identifier: Apache-2.0
#include "converter/sample_cache.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>

namespace aq::converter {
namespace {

const Value kValue{"x", {1, 4, 8, 8}};  // 1 KiB an image

std::string Folder() { return testing::TempDir(); }

TEST(SampleCache, UsesAFileOnlyBeyondTheBudget) {
  CacheBudget budget{2 << 10, Folder()};
  {
    auto first = SampleCache::Make(kValue, 2, &budget), second = SampleCache::Make(kValue, 3, &budget);
    ASSERT_TRUE(first.ok() && second.ok()) << second.status().message();
    EXPECT_FALSE(first->is_file());
    EXPECT_TRUE(second->is_file());
    EXPECT_EQ(budget.used_bytes, 2048u);
    EXPECT_EQ(budget.file_bytes, 3072u);
    EXPECT_EQ(second->BatchShape(3), (Shape{3, 4, 8, 8}));
    for (SampleCache* cache : {&*first, &*second}) {
      EXPECT_EQ(cache->At(1)[17], 0);
      cache->At(1)[17] = 3;
      EXPECT_EQ(cache->At(0)[256 + 17], 3) << "images follow each other";
    }
    SampleCache moved = std::move(*second);
    EXPECT_EQ(moved.At(1)[17], 3);
  }
  EXPECT_EQ(budget.used_bytes, 0u);
  EXPECT_EQ(budget.file_bytes, 0u);
}

TEST(SampleCache, LeavesNoFileBehind) {
  const std::string folder = Folder() + "/aq_sample_cache_test";
  std::filesystem::create_directories(folder);
  CacheBudget budget{0, folder};
  const auto cache = SampleCache::Make(kValue, 1, &budget);
  ASSERT_TRUE(cache.ok()) << cache.status().message();
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "not even while it is in use";
  std::filesystem::remove(folder);
}

TEST(SampleCache, NamesAFolderThatIsNotThere) {
  CacheBudget budget{0, Folder() + "/no/such/folder"};
  const auto cache = SampleCache::Make(kValue, 1, &budget);
  EXPECT_EQ(cache.status().code(), Code::kIo);
  EXPECT_NE(cache.status().message().find("no/such/folder"), std::string::npos) << cache.status().message();
}

// A file size limit stands in for a full disk: both end in an error of posix_fallocate.
TEST(SampleCache, ReportsAFullDisk) {
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{4096, old.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  CacheBudget budget{0, Folder()};
  const auto cache = SampleCache::Make(kValue, 100, &budget);
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(cache.status().code(), Code::kIo);
  EXPECT_NE(cache.status().message().find("--max-memory"), std::string::npos) << cache.status().message();
  EXPECT_EQ(budget.file_bytes, 0u);
}

}  // namespace
}  // namespace aq::converter
