// SPDX-License-Identifier: Apache-2.0
// Synthetic models: the loader accepts them, every border and width makes another file, and results are not constant.
#include "bench/synthetic.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "bench/measure.h"
#include "tools/aqm_model.h"

namespace aq::bench {
namespace {

// 3x3, stride 2, 8 channels of a 6x6 image; then a depthwise and a dense layer.
Network SmallNetwork() {
  Network network{"small", {}};
  network.ops.push_back({.geometry = {.in_h = 6,
                                      .in_w = 6,
                                      .in_c = 3,
                                      .out_h = 3,
                                      .out_w = 3,
                                      .out_c = 8,
                                      .kernel_h = 3,
                                      .kernel_w = 3,
                                      .stride_h = 2,
                                      .stride_w = 2,
                                      .pad_top = 1,
                                      .pad_left = 1}});
  network.ops.push_back({.input = 0,
                         .geometry = {.in_h = 3,
                                      .in_w = 3,
                                      .in_c = 8,
                                      .out_h = 3,
                                      .out_w = 3,
                                      .out_c = 8,
                                      .kernel_h = 3,
                                      .kernel_w = 3,
                                      .pad_top = 1,
                                      .pad_left = 1,
                                      .groups = 8}});
  network.ops.push_back({.input = 1,
                         .residual = 0,
                         .geometry = {.in_h = 3, .in_w = 3, .in_c = 8, .out_h = 3, .out_w = 3, .out_c = 8},
                         .is_linear = true});
  network.ops.push_back(
      {.kind = NetworkOpKind::kAveragePool,
       .input = 2,
       .geometry = {.in_h = 3, .in_w = 3, .in_c = 8, .out_c = 8, .kernel_h = 3, .kernel_w = 3, .groups = 8}});
  network.ops.push_back(
      {.kind = NetworkOpKind::kDense, .input = 3, .geometry = {.in_c = 8, .out_c = 10}, .is_linear = true});
  return network;
}

struct Loaded {
  tools::ModelPtr model;
  tools::SessionPtr session;
};
Loaded Load(const std::vector<uint8_t>& file, int threads, const std::string& isa) {
  aq_model* loaded = nullptr;
  char error[256] = "";
  aq_load_options options{};
  options.struct_size = sizeof options;
  options.error = error;
  options.error_size = sizeof error;
  EXPECT_EQ(aq_model_load_buffer(file.data(), file.size(), &options, &loaded), AQ_OK) << error;
  Loaded result{tools::ModelPtr(loaded), nullptr};
  if (!result.model) return result;
  auto session = tools::CreateSession(result.model.get(), threads, isa);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (session.ok()) result.session = std::move(session.value());
  return result;
}

// The values of the model's first output, on the scalar kernels.
std::vector<int32_t> RunOn(const std::vector<uint8_t>& file) {
  const auto [model, session] = Load(file, 1, "scalar");
  if (!session) return {};
  EXPECT_TRUE(FillInputs(model.get(), session.get()).ok());
  EXPECT_EQ(aq_session_run(session.get()), AQ_OK);
  return tools::OutputValues(tools::OutputInfo(model.get(), 0).value(), aq_session_output(session.get(), 0));
}

TEST(SyntheticLayer, OfEveryWidthAndBorderLoadsAndUsesItsCodes) {
  std::set<std::string> files;
  for (const int weights : {2, 4, 8}) {
    for (const int activations : {2, 4, 8}) {
      for (const Border border : {Border::kNearest, Border::kTable}) {
        const auto file = SyntheticLayer(SmallNetwork(), 1, {{weights, activations}, border});
        EXPECT_TRUE(files.insert(std::string(file.begin(), file.end())).second) << "w" << weights << "a" << activations;
        const std::vector<int32_t> codes = RunOn(file);
        EXPECT_EQ(codes.size(), 72u);
        EXPECT_GT(std::set<int32_t>(codes.begin(), codes.end()).size(), 2u) << "w" << weights << "a" << activations;
        for (const int32_t code : codes) EXPECT_LT(code, 1 << activations);
      }
    }
  }
}

TEST(SyntheticNetwork, IsTheSameTwice) {
  const SyntheticOptions options{{4, 4}, Border::kTable};
  EXPECT_EQ(SyntheticNetwork(SmallNetwork(), options), SyntheticNetwork(SmallNetwork(), options));
}

TEST(SyntheticNetwork, WithResidualPoolAndDenseLayerRuns) {
  for (const int bits : {2, 4, 8}) {
    const std::vector<int32_t> logits = RunOn(SyntheticNetwork(SmallNetwork(), {{bits, bits}, Border::kNearest}));
    EXPECT_EQ(logits.size(), 10u);
    EXPECT_GT(std::set<int32_t>(logits.begin(), logits.end()).size(), 2u) << bits;
  }
}

// The runtime's own threads spin from op to op, not from run to run.
TEST(SyntheticNetwork, LeavesNoThreadSpinningAfterARun) {
  const auto seconds = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const auto [model, session] = Load(SyntheticNetwork(*FindNetwork("mobilenet_v2"), {{4, 8}, Border::kNearest}), 2, "");
  ASSERT_TRUE(session);
  const double start = seconds();
  ASSERT_EQ(aq_session_run(session.get()), AQ_OK);
  const double end = seconds();
  ASSERT_GT(end, start);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(seconds() - end, 0.005);
}

}  // namespace
}  // namespace aq::bench
