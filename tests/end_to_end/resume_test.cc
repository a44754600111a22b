// SPDX-License-Identifier: Apache-2.0
// A conversion killed half-way and continued with --resume gives the bytes of one that was not; a checkpoint that is
// not its own is refused with a documented exit code; memory limits change nothing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/end_to_end/process.h"
#include "tests/end_to_end/test_files.h"

namespace aq::test {
namespace {

namespace fs = std::filesystem;

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(onnx_)) GTEST_SKIP() << "needs " << onnx_;
    images_ = folder_.Write("x.npy", Npy("|u1", "(16, 28, 28, 1)", Pattern(16 * 784, 1)));
  }
  std::vector<std::string> Convert(const std::string& output, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {std::string(AQ_BIN) + "/aq",
                                          "convert",
                                          onnx_,
                                          "-o",
                                          output,
                                          "--calib",
                                          "npy:" + images_,
                                          "--recipe",
                                          "w2a2",
                                          "--rounding",
                                          "adaptive",
                                          "--border",
                                          "free-channel",
                                          "--iterations",
                                          "20",
                                          "--tune-iterations",
                                          "5",
                                          "--threads",
                                          "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // Kills the conversion as soon as its checkpoint has been replaced `writes` times.
  bool KillAfter(size_t writes, const std::string& output) const {
    const std::vector<std::string> arguments = Convert(output);
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(open("/dev/null", O_WRONLY), fd);
      unsetenv("AQ_DATA");
      execv(argv[0], argv.data());
      _exit(127);
    }
    int status = 0;
    fs::file_time_type last{};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (writes > 0 && std::chrono::steady_clock::now() < deadline && waitpid(child, &status, WNOHANG) == 0) {
      std::error_code error;
      const auto written = fs::last_write_time(output + ".resume", error);
      if (!error && written != last) {
        last = written;
        --writes;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  const TemporaryFolder folder_;
  const std::string onnx_ = std::string(AQ_SOURCE_DIR) + "/models/fashion_mnist_resnet.onnx";
  std::string images_;
};

TEST_F(Resume, AfterKillGivesTheSameBytes) {
  const std::string whole = folder_.Path("whole.aqm"), killed = folder_.Path("killed.aqm");
  const ProcessResult made = RunProcess(Convert(whole), {});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_FALSE(fs::exists(whole + ".resume")) << "removed when done";

  ASSERT_TRUE(KillAfter(2, killed)) << "the conversion ended before it could be killed";
  EXPECT_FALSE(fs::exists(killed));
  ASSERT_TRUE(fs::exists(killed + ".resume"));
  const Bytes checkpoint = ReadBytes(killed + ".resume");

  const ProcessResult other = RunProcess(Convert(killed, {"--resume", "--seed", "7"}), {});
  EXPECT_EQ(other.exit_code, 2) << other.err;
  EXPECT_NE(other.err.find("another conversion"), std::string::npos) << other.err;
  EXPECT_EQ(ReadBytes(killed + ".resume"), checkpoint) << "a refused checkpoint is left alone";

  const ProcessResult resumed = RunProcess(Convert(killed, {"--resume"}), {});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(ReadBytes(killed), ReadBytes(whole));
  EXPECT_FALSE(fs::exists(killed + ".resume"));

  for (const size_t size : {size_t{0}, size_t{3}, checkpoint.size() / 2, checkpoint.size() - 1}) {
    folder_.Write("killed.aqm.resume", Bytes(checkpoint.begin(), checkpoint.begin() + static_cast<ptrdiff_t>(size)));
    const ProcessResult cut = RunProcess(Convert(killed, {"--resume"}), {});
    EXPECT_EQ(cut.exit_code, 4) << size << cut.err;
    EXPECT_NE(cut.err.find("killed.aqm.resume"), std::string::npos) << cut.err;
  }
}

TEST_F(Resume, MemoryLimitChangesNothing) {
  const std::string in_memory = folder_.Path("memory.aqm"), in_files = folder_.Path("files.aqm");
  ASSERT_EQ(RunProcess(Convert(in_memory, {}), {}).exit_code, 0);
  fs::create_directory(folder_.Path("scratch"));
  const ProcessResult result =
      RunProcess(Convert(in_files, {"--max-memory", "100KiB"}), {"TMPDIR=" + folder_.Path("scratch")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(ReadBytes(in_files), ReadBytes(in_memory));
  EXPECT_TRUE(fs::is_empty(folder_.Path("scratch")));
  const ProcessResult nowhere =
      RunProcess(Convert(in_files, {"--max-memory", "100KiB"}), {"TMPDIR=" + folder_.Path("none")});
  EXPECT_EQ(nowhere.exit_code, 4) << nowhere.err;
}

}  // namespace
}  // namespace aq::test
