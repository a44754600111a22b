// SPDX-License-Identifier: Apache-2.0
// Sessions: sharing a model, destruction order, the observer, concurrent use, the caller's scheduler.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "aq/aq.h"
#include "tests/runtime/gallery.h"

namespace aq::test {
namespace {

class Sessions : public testing::Test {
 protected:
  void SetUp() override {
    const Bytes file = SmallNetwork().Build();
    ASSERT_EQ(aq_model_load_buffer(file.data(), file.size(), nullptr, &model_), AQ_OK);
  }
  void TearDown() override { aq_model_destroy(model_); }

  aq_session* Create(const aq_session_options* options = nullptr) {
    aq_session* session = nullptr;
    EXPECT_EQ(aq_session_create(model_, options, &session), AQ_OK);
    return session;
  }
  static aq_session_options Options(int threads) {
    aq_session_options options = {};
    options.struct_size = sizeof options;
    options.num_threads = threads;
    return options;
  }
  static std::vector<int32_t> Run(aq_session* session, uint8_t fill) {
    std::memset(aq_session_input(session, 0), fill, 6 * 6 * 3);
    EXPECT_EQ(aq_session_run(session), AQ_OK);
    std::vector<int32_t> result(4);
    std::memcpy(result.data(), aq_session_output(session, 0), 16);
    return result;
  }

  aq_model* model_ = nullptr;
};

TEST_F(Sessions, OutliveTheirModelHandleInAnyOrder) {
  aq_session* first = Create();
  aq_session* second = Create();
  const auto expected = Run(first, 50);
  aq_model_destroy(model_);
  model_ = nullptr;
  EXPECT_EQ(Run(second, 50), expected);
  aq_session_destroy(first);
  EXPECT_EQ(Run(second, 50), expected);
  EXPECT_NE(Run(second, 200), expected);
  aq_session_destroy(second);
}

TEST_F(Sessions, OfOneModelRunInParallel) {
  std::vector<std::vector<int32_t>> expected;
  aq_session* session = Create();
  for (int i = 0; i < 4; ++i) expected.push_back(Run(session, static_cast<uint8_t>(60 * i)));
  aq_session_destroy(session);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      aq_session* own = Create();
      for (int run = 0; run < 20; ++run)
        wrong += Run(own, static_cast<uint8_t>(60 * i)) != expected[static_cast<size_t>(i)];
      aq_session_destroy(own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Sessions, ThreadCountsGiveTheSameBits) {
  aq_session* one = Create();
  const auto expected = Run(one, 77);
  aq_session_destroy(one);
  for (const int threads : {-1, 0, 2, 5}) {
    const aq_session_options options = Options(threads);
    aq_session* session = Create(&options);
    EXPECT_EQ(Run(session, 77), expected) << threads;
    aq_session_destroy(session);
  }
}

struct Seen {
  std::vector<std::string> types;
  std::vector<uint32_t> indices;
  uint64_t macs = 0;
  bool is_good = true;
};

void See(void* user, const aq_op_event* event) {
  Seen& seen = *static_cast<Seen*>(user);
  seen.types.push_back(event->type);
  seen.indices.push_back(event->index);
  seen.macs += event->macs;
  seen.is_good = seen.is_good && event->struct_size == sizeof *event && event->num_outputs >= 1 && event->outputs[0] &&
                 event->output_infos[0].bytes > 0 && std::strlen(event->kernel) > 0 && std::strlen(event->name) > 0;
}

TEST_F(Sessions, ObserverSeesEveryOpInOrder) {
  aq_session* session = Create();
  Seen seen;
  ASSERT_EQ(aq_session_set_observer(session, See, &seen), AQ_OK);
  Run(session, 1);
  const std::vector<std::string> expected = {"Conv2D", "Conv2D", "Conv2D", "Lookup", "Add", "Pool", "Reshape", "Dense"};
  EXPECT_EQ(seen.types, expected);
  for (uint32_t i = 0; i < seen.indices.size(); ++i) EXPECT_EQ(seen.indices[i], i);
  EXPECT_TRUE(seen.is_good);
  EXPECT_EQ(seen.macs, 36u * 8 * 27 + 36u * 8 * 8 + 9u * 8 * 9 + 4u * 8);
  ASSERT_EQ(aq_session_set_observer(session, nullptr, nullptr), AQ_OK);
  Run(session, 1);
  EXPECT_EQ(seen.types.size(), expected.size());
  aq_session_destroy(session);
}

// Re-entering a running session, as a second thread would, is refused.
struct Reentry {
  aq_session* session;
  aq_status run = AQ_OK, observer = AQ_OK;
};

TEST_F(Sessions, BusySessionRefusesASecondRun) {
  aq_session* session = Create();
  Reentry reentry{session};
  aq_session_set_observer(
      session,
      [](void* user, const aq_op_event*) {
        Reentry& r = *static_cast<Reentry*>(user);
        r.run = aq_session_run(r.session);
        r.observer = aq_session_set_observer(r.session, nullptr, nullptr);
      },
      &reentry);
  EXPECT_EQ(aq_session_run(session), AQ_OK);
  EXPECT_EQ(reentry.run, AQ_ERR_INVALID_STATE);
  EXPECT_EQ(reentry.observer, AQ_ERR_INVALID_STATE);
  aq_session_destroy(session);
}

TEST_F(Sessions, UseTheCallersScheduler) {
  aq_session* own = Create();
  const auto expected = Run(own, 9);
  aq_session_destroy(own);
  aq_session_options options = Options(3);
  static int calls;
  calls = 0;
  options.parallel_for = [](void*, size_t count, void (*task)(void*, size_t), void* context) {
    ++calls;
    for (size_t i = count; i-- > 0;) task(context, i);
  };
  // Large enough to be split.
  ModelBuilder builder(5);
  const int32_t x = builder.Input({1, 40, 40, 16}, 8);
  builder.Output(builder.Conv(x, {.n = 24, .kernel_h = 3, .kernel_w = 3})[0]);
  const Bytes file = builder.Build();
  aq_model* model = nullptr;
  ASSERT_EQ(aq_model_load_buffer(file.data(), file.size(), nullptr, &model), AQ_OK);
  aq_session* session = nullptr;
  ASSERT_EQ(aq_session_create(model, &options, &session), AQ_OK);
  ASSERT_EQ(aq_session_run(session), AQ_OK);
  EXPECT_GT(calls, 0);
  aq_session_destroy(session);
  aq_model_destroy(model);
  aq_session* small = Create(&options);
  EXPECT_EQ(Run(small, 9), expected);
  aq_session_destroy(small);
}

TEST_F(Sessions, TellTheirMemoryAndPlan) {
  aq_session* session = Create();
  EXPECT_GT(aq_session_memory(session), 1000u);
  EXPECT_NE(std::strstr(aq_session_plan(session), "Dense"), nullptr);
  EXPECT_EQ(aq_session_input(session, 1), nullptr);
  EXPECT_EQ(aq_session_output(session, 1), nullptr);
  aq_session_destroy(session);
}

}  // namespace
}  // namespace aq::test
