// SPDX-License-Identifier: Apache-2.0
// ISA detection and AQ_ISA, files and blocks, parallel loops.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "kernels/depthwise/depthwise.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "platforms/cpu.h"
#include "platforms/memory.h"
#include "platforms/parallel.h"

namespace aq {
namespace {

class ForcedIsa : public testing::Test {
 protected:
  void TearDown() override { unsetenv("AQ_ISA"); }
};

TEST_F(ForcedIsa, SelectsItsKernels) {
  const bool is_scalar_build = (AllGemmKernels().end() - 1)->isa == Isa::kScalar;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512Vnni}) {
    if (!DetectIsas().Has(isa)) continue;
    setenv("AQ_ISA", IsaName(isa), 1);
    IsaSet isas;
    std::string error;
    ASSERT_TRUE(UsableIsas(DetectIsas(), &isas, &error)) << error;
    EXPECT_TRUE(isas.Has(isa) && isas.Has(Isa::kScalar));
    EXPECT_EQ(isas.Has(Isa::kAvxVnni), isa == Isa::kAvxVnni);
    EXPECT_EQ(isas.Has(Isa::kAvx2), isa != Isa::kScalar);
    const Isa expected = is_scalar_build ? Isa::kScalar : isa;
    const GemmShape shape{.m = 100, .n = 64, .k = 64, .max_pair = 2 * 128 * 255, .widen_steps = 0};
    const Isa rows = expected == Isa::kAvxVnni ? Isa::kAvx2 : expected;  // has no registers of its own
    EXPECT_EQ(SelectGemm(shape, isas).kernel->isa, expected);
    EXPECT_EQ(SelectRowKernels(isas)->isa, rows);
    EXPECT_EQ(SelectDepthwise(true, isas)->isa, rows);
  }
}

TEST_F(ForcedIsa, UnknownNameIsAnErrorThatListsWhatThereIs) {
  setenv("AQ_ISA", "mmx", 1);
  IsaSet isas;
  std::string error;
  EXPECT_FALSE(UsableIsas(DetectIsas(), &isas, &error));
  EXPECT_NE(error.find("mmx"), std::string::npos);
  EXPECT_NE(error.find("scalar"), std::string::npos);
}

TEST_F(ForcedIsa, IsaOfAnotherFamilyIsAnError) {
  setenv("AQ_ISA", DetectIsas().Has(Isa::kNeon) ? "avx2" : "neondot", 1);
  IsaSet isas;
  std::string error;
  EXPECT_FALSE(UsableIsas(DetectIsas(), &isas, &error));
}

TEST_F(ForcedIsa, UnsetOrEmptyMeansAllDetected) {
  IsaSet isas;
  std::string error;
  ASSERT_TRUE(UsableIsas(DetectIsas(), &isas, &error));
  EXPECT_EQ(isas, DetectIsas());
  setenv("AQ_ISA", "", 1);
  ASSERT_TRUE(UsableIsas(DetectIsas(), &isas, &error));
  EXPECT_EQ(isas, DetectIsas());
}

TEST(Isa, NamesComeBack) {
  for (int i = 0; i < kIsaCount; ++i) {
    Isa parsed;
    ASSERT_TRUE(ParseIsa(IsaName(static_cast<Isa>(i)), &parsed));
    EXPECT_EQ(static_cast<int>(parsed), i);
  }
  EXPECT_FALSE(CpuName().empty());
}

TEST(AlignedBlock, IsAlignedAndZero) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{1000}}) {
    const AlignedBlock block = AlignedBlock::Allocate(size);
    ASSERT_NE(block.data(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % kMemoryAlignment, 0u);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(block.data()[i], 0);
  }
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(folder_), nullptr);
    path_ = std::string(folder_) + "/file";
    std::FILE* file = std::fopen(path_.c_str(), "w");
    std::fputs("0123456789", file);
    std::fclose(file);
  }
  void TearDown() override {
    unlink(path_.c_str());
    rmdir(folder_);
  }
  char folder_[32] = "/tmp/aq_files_XXXXXX";
  std::string path_;
};

TEST_F(Files, AreReadAndMapped) {
  for (const auto load : {&FileBytes::Read, &FileBytes::Map}) {
    FileBytes bytes;
    ASSERT_EQ(load(path_.c_str(), 10, &bytes), 0);
    ASSERT_EQ(bytes.size(), 10u);
    EXPECT_EQ(std::string(bytes.data(), bytes.data() + 10), "0123456789");
    FileBytes moved;
    moved = std::move(bytes);
    EXPECT_EQ(moved.data()[9], '9');
  }
}

TEST_F(Files, RefuseWhatIsNoRegularFileOrTooLarge) {
  const std::string fifo = std::string(folder_) + "/fifo", missing = std::string(folder_) + "/none";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const auto load : {&FileBytes::Read, &FileBytes::Map}) {
    FileBytes bytes;
    EXPECT_EQ(load(path_.c_str(), 9, &bytes), EFBIG);
    EXPECT_EQ(load(folder_, 100, &bytes), EISDIR);
    EXPECT_EQ(load(fifo.c_str(), 100, &bytes), EINVAL);
    EXPECT_EQ(load(missing.c_str(), 100, &bytes), ENOENT);
    EXPECT_EQ(bytes.size(), 0u);
  }
  unlink(fifo.c_str());
}

TEST_F(Files, RangesOfADescriptorAreChecked) {
  const int fd = open(path_.c_str(), O_RDONLY);
  FileBytes bytes;
  ASSERT_EQ(FileBytes::ReadDescriptor(fd, 3, 4, 100, &bytes), 0);
  EXPECT_EQ(std::string(bytes.data(), bytes.data() + bytes.size()), "3456");
  EXPECT_EQ(FileBytes::ReadDescriptor(fd, 3, 8, 100, &bytes), EINVAL);
  EXPECT_EQ(FileBytes::ReadDescriptor(fd, 11, 0, 100, &bytes), EINVAL);
  EXPECT_EQ(FileBytes::ReadDescriptor(fd, 3, UINT64_MAX, 100, &bytes), EINVAL);
  EXPECT_EQ(FileBytes::ReadDescriptor(fd, 0, 10, 9, &bytes), EFBIG);
  close(fd);
}

// Every index once; no two tasks share a thread number at the same time.
void CheckLoop(Parallel& parallel, size_t count) {
  struct State {
    std::vector<std::atomic<int>> runs;
    std::vector<std::atomic<int>> busy;
    std::atomic<bool> is_shared{false};
  } state{std::vector<std::atomic<int>>(count),
          std::vector<std::atomic<int>>(static_cast<size_t>(parallel.num_threads()))};
  const auto task = [](void* context, size_t index, size_t thread) {
    State& s = *static_cast<State*>(context);
    if (s.busy[thread].fetch_add(1) != 0) s.is_shared = true;
    ++s.runs[index];
    s.busy[thread].fetch_sub(1);
  };
  parallel.For(count, task, &state);
  EXPECT_FALSE(state.is_shared);
  for (const auto& runs : state.runs) ASSERT_EQ(runs.load(), 1);
}

TEST(Parallel, RunsEveryIndexOnce) {
  for (int threads : {-1, 1, 2, 3, 8}) {
    const auto parallel = Parallel::Create(threads);
    ASSERT_NE(parallel, nullptr);
    EXPECT_EQ(parallel->num_threads(), std::max(threads, 1));
    for (size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) CheckLoop(*parallel, count);
  }
}

double ProcessSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

TEST(Parallel, RestingThreadsUseNoTime) {
  const auto parallel = Parallel::Create(2);
  for (int round = 0; round < 3; ++round) {  // they wake up again
    CheckLoop(*parallel, 2);
    parallel->Rest();
    parallel->Rest();
    const double before = ProcessSeconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_LT(ProcessSeconds() - before, 0.004);
  }
}

TEST(Parallel, UsesTheCallersScheduler) {
  static int calls;
  calls = 0;
  const auto scheduler = [](void* user, size_t count, void (*task)(void*, size_t), void* context) {
    ++*static_cast<int*>(user);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; ++i) threads.emplace_back(task, context, i);
    for (std::thread& thread : threads) thread.join();
  };
  const auto parallel = Parallel::CreateExternal(scheduler, &calls, 3);
  CheckLoop(*parallel, 500);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace aq
