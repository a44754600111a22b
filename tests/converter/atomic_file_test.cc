// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "converter/convert.h"

namespace aq::converter {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "aq_atomic_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "model.aqm";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::vector<uint8_t> Read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  size_t FileCount() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_, path_;
};

TEST_F(AtomicFile, WritesAndReplaces) {
  ASSERT_TRUE(WriteFileAtomically(path_, {1, 2, 3}).ok());
  ASSERT_TRUE(WriteFileAtomically(path_, {4, 5}).ok());
  EXPECT_EQ(Read(path_), (std::vector<uint8_t>{4, 5}));
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(AtomicFile, RefusesWhatIsNotAFile) {
  EXPECT_EQ(WriteFileAtomically(folder_, {1}).code(), Code::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomically(folder_.string() + "/", {1}).code(), Code::kInvalidArgument);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(WriteFileAtomically(path_, {1}).code(), Code::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomically(folder_ / "missing" / "m.aqm", {1}).code(), Code::kIo);
}

TEST_F(AtomicFile, ReplacesASymbolicLinkAndLeavesItsTarget) {
  const fs::path target = folder_ / "target";
  ASSERT_TRUE(WriteFileAtomically(target, {9}).ok());
  fs::create_symlink(target, path_);
  ASSERT_TRUE(WriteFileAtomically(path_, {1}).ok());
  EXPECT_EQ(Read(target), std::vector<uint8_t>{9});
  EXPECT_FALSE(fs::is_symlink(path_));
}

TEST_F(AtomicFile, FullDiskLeavesTheOldFile) {
  ASSERT_TRUE(WriteFileAtomically(path_, {7, 7}).ok());
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);  // a file size limit fails like a full disk
    const rlimit limit{1000, 1000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    _exit(WriteFileAtomically(path_, std::vector<uint8_t>(5000, 1)).code() == Code::kIo ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Read(path_), (std::vector<uint8_t>{7, 7}));
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(AtomicFile, KilledAtAnyMomentLeavesOldOrNew) {
  const std::vector<uint8_t> old_bytes(1 << 18, 0xaa), new_bytes(1 << 20, 0x55);
  std::mt19937 random(5);
  int seen_new = 0;
  for (int round = 0; round < 40; ++round) {
    ASSERT_TRUE(WriteFileAtomically(path_, old_bytes).ok());
    const pid_t child = fork();
    if (child == 0) _exit(WriteFileAtomically(path_, new_bytes).ok() ? 0 : 1);
    usleep(static_cast<useconds_t>(random() % 3000));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const std::vector<uint8_t> now = Read(path_);
    ASSERT_TRUE(now == old_bytes || now == new_bytes) << "round " << round << ": " << now.size() << " bytes";
    seen_new += now == new_bytes;
  }
  // The next writer removes what the killed ones left.
  ASSERT_TRUE(WriteFileAtomically(path_, old_bytes).ok());
  EXPECT_EQ(FileCount(), 1u);
  RecordProperty("rounds_with_new_content", seen_new);
}

TEST_F(AtomicFile, KeepsTemporariesOfOthers) {
  const fs::path other = folder_ / ".other.aqm.aq-tmp-999999-0";
  const fs::path alive = folder_ / (".model.aqm.aq-tmp-" + std::to_string(getppid()) + "-0");
  std::ofstream(other) << "x";
  std::ofstream(alive) << "x";
  ASSERT_TRUE(WriteFileAtomically(path_, {1}).ok());
  EXPECT_TRUE(fs::exists(other));
  EXPECT_TRUE(fs::exists(alive));
}

}  // namespace
}  // namespace aq::converter
