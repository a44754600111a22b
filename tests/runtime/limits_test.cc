// SPDX-License-Identifier: Apache-2.0
// Each limit holds at its value and fails one below, with AQ_ERR_LIMIT and a message that names it.
#include "runtime/limits.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>

#include "aq/aq.h"
#include "runtime/model.h"
#include "tests/runtime/gallery.h"

namespace aq::test {
namespace {

// Loads and makes a session with one limit set.
aq_status Try(const Bytes& file, const std::function<void(aq_limits*, uint64_t)>& set, uint64_t value,
              std::string* message) {
  char error[512] = "";
  aq_limits limits = {};
  limits.struct_size = sizeof limits;
  set(&limits, value);
  aq_load_options options = {};
  options.struct_size = sizeof options;
  options.limits = &limits;
  options.error = error;
  options.error_size = sizeof error;
  aq_model* model = nullptr;
  aq_status status = aq_model_load_buffer(file.data(), file.size(), &options, &model);
  if (status == AQ_OK) {
    aq_session_options session_options = {};
    session_options.struct_size = sizeof session_options;
    session_options.num_threads = 2;
    session_options.isa = "scalar";
    session_options.error = error;
    session_options.error_size = sizeof error;
    aq_session* session = nullptr;
    status = aq_session_create(model, &session_options, &session);
    aq_session_destroy(session);
    aq_model_destroy(model);
  }
  *message = error;
  return status;
}

struct LimitCase {
  const char* name;
  std::function<void(aq_limits*, uint64_t)> set;
  uint64_t expected;  // smallest value that loads; 0: not known beforehand
};

TEST(Limits, HoldAtTheirValueAndFailOneBelow) {
  ModelBuilder builder(1);
  const int32_t x = builder.Input({1, 9, 9, 3}, 8);
  const int32_t y = builder.Conv(x, {.n = 4, .kernel_h = 5, .kernel_w = 3, .stride_h = 1, .stride_w = 3})[0];
  builder.Output(builder.Lookup(y, 8));
  const Bytes file = builder.Build();
  uint64_t metadata_size = 0;
  std::memcpy(&metadata_size, file.data() + 32, 8);
  const uint64_t conv_macs = 5 * 3 * 4 * 15 * 3, lookup_work = 5 * 3 * 4;

#define AQ_SET(member) \
  [](aq_limits* limits, uint64_t value) { limits->member = static_cast<decltype(limits->member)>(value); }
  const LimitCase cases[] = {
      {"max_tensors", AQ_SET(max_tensors), 3},
      {"max_file_bytes", AQ_SET(max_file_bytes), file.size()},
      {"max_metadata_bytes", AQ_SET(max_metadata_bytes), metadata_size},
      {"max_ops", AQ_SET(max_ops), 2},
      {"max_dim", AQ_SET(max_dim), 9},
      {"max_tensor_bytes", AQ_SET(max_tensor_bytes), 9 * 9 * 3},
      {"max_arena_bytes", AQ_SET(max_arena_bytes), 0},
      {"max_scratch_bytes", AQ_SET(max_scratch_bytes), 0},
      {"max_weight_bytes", AQ_SET(max_weight_bytes), 0},
      {"kernel", AQ_SET(max_kernel_dim), 5},
      {"stride", AQ_SET(max_stride), 3},
      {"max_macs", AQ_SET(max_macs), conv_macs + lookup_work},
      {"max_string", AQ_SET(max_string), 7},
      {"max_threads", AQ_SET(max_threads), 2},
  };
#undef AQ_SET
  for (const LimitCase& limit : cases) {
    SCOPED_TRACE(limit.name);
    std::string message;
    uint64_t low = 0, high = 1 << 20;  // fails at low (or is the default), loads at high
    if (std::string(limit.name) == "kernel" || std::string(limit.name) == "stride") high = 255;
    if (std::string(limit.name) == "max_threads") high = 64;
    ASSERT_EQ(Try(file, limit.set, high, &message), AQ_OK) << message;
    while (high - low > 1) {
      const uint64_t middle = (low + high) / 2;
      (Try(file, limit.set, middle, &message) == AQ_OK ? high : low) = middle;
    }
    ASSERT_GT(high, 1u);
    EXPECT_EQ(Try(file, limit.set, high, &message), AQ_OK) << message;
    EXPECT_EQ(Try(file, limit.set, high - 1, &message), AQ_ERR_LIMIT) << message;
    EXPECT_NE(message.find(limit.name), std::string::npos) << message;
    if (limit.expected != 0) {
      EXPECT_EQ(high, limit.expected);
    }
  }
}

TEST(Limits, CeilingsAndStructSizeAreChecked) {
  Limits limits;
  aq_limits options = {};
  EXPECT_EQ(ReadLimits(&options, &limits).code(), Code::kInvalidArgument);
  options.struct_size = sizeof options;
  EXPECT_TRUE(ReadLimits(&options, &limits).ok());
  EXPECT_EQ(limits.max_tensors, 4096u);
  options.max_metadata_bytes = uint64_t{1} << 40;
  EXPECT_EQ(ReadLimits(&options, &limits).code(), Code::kInvalidArgument);
}

TEST(Limits, WorkOfManyCheapOpsAddsUp) {
  ModelBuilder builder(2);
  int32_t x = builder.Input({1, 64, 64, 4}, 8);
  schema::PoolT pool;
  pool.kernel_h = pool.kernel_w = 63;
  pool.pad_top = pool.pad_left = pool.pad_bottom = pool.pad_right = 31;
  for (int i = 0; i < 400; ++i) x = builder.Pool(x, pool, 8);
  builder.Output(x);
  auto loaded = Model::LoadCopy(builder.Build(), Limits());
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kLimit);
  EXPECT_NE(loaded.status().message().find("max_macs"), std::string::npos) << loaded.status().message();
}

}  // namespace
}  // namespace aq::test
