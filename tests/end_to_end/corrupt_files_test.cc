// SPDX-License-Identifier: Apache-2.0
// 2,000 cut and changed copies of three models (the shipped network at w8a8, w4a4, w2a2): each is refused with a
// message and a documented code, in well under a second, in this process; a sample of them by `aq inspect`: exit 4, no
// signal.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "runtime/include/aq/aq.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/test_files.h"

namespace aq::test {
namespace {

constexpr size_t kCases = 2000;
constexpr size_t kProcessEvery = 50;  // every how manieth case also as a process
constexpr double kMaxSeconds = 1;

class Random {  // xorshift64
 public:
  uint64_t Below(uint64_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % bound;
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15u;
};

struct Loaded {
  aq_status status = AQ_OK;
  std::string message;
  double seconds = 0;
};

Loaded Load(const Bytes& bytes) {
  char message[512] = "";
  aq_load_options options{};
  options.struct_size = sizeof options;
  options.error = message;
  options.error_size = sizeof message;
  aq_model* model = nullptr;
  const auto begin = std::chrono::steady_clock::now();
  Loaded loaded;
  loaded.status = aq_model_load_buffer(bytes.data(), bytes.size(), &options, &model);
  loaded.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  loaded.message = message;
  aq_model_destroy(model);
  return loaded;
}

// One to four changed bytes, or a cut; near the start (header, metadata) as often as anywhere.
Bytes Damage(const Bytes& whole, size_t i, Random* random) {
  Bytes bytes = whole;
  if (i % 4 == 0) {
    bytes.resize(random->Below(whole.size()));
    return bytes;
  }
  const size_t changes = 1 + random->Below(4);
  for (size_t c = 0; c < changes; ++c) {
    const size_t range = i % 4 == 1 ? 256 : whole.size();
    uint8_t& byte = bytes[random->Below(std::min(range, whole.size()))];
    byte = static_cast<uint8_t>(byte ^ (1 + random->Below(255)));
  }
  return bytes;
}

TEST(CorruptFiles, AreRefusedQuicklyWithAMessage) {
  const std::string onnx = std::string(AQ_SOURCE_DIR) + "/models/fashion_mnist_resnet.onnx";
  if (!std::filesystem::exists(onnx)) GTEST_SKIP() << "needs " << onnx;
  const TemporaryFolder folder;
  const std::string aq = std::string(AQ_BIN) + "/aq";
  const std::string images = folder.Write("x.npy", Npy("|u1", "(8, 28, 28, 1)", Pattern(8 * 784, 1)));
  std::vector<Bytes> models;
  for (const std::string recipe : {"w8a8", "w4a4", "w2a2"}) {
    const std::string path = folder.Path(recipe + ".aqm");
    const ProcessResult made = RunProcess({aq, "convert", onnx, "-o", path, "--calib", "npy:" + images, "--recipe",
                                           recipe, "--iterations", "3", "--tune-iterations", "3"},
                                          {});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    models.push_back(ReadBytes(path));
    ASSERT_EQ(Load(models.back()).status, AQ_OK) << "the model itself must load";
  }

  Random random;
  for (size_t i = 0; i < kCases; ++i) {
    const Bytes& whole = models[i % models.size()];
    const Bytes bytes = Damage(whole, i / models.size(), &random);
    if (bytes == whole) continue;  // two changes of one byte that cancel out
    const Loaded loaded = Load(bytes);
    ASSERT_TRUE(loaded.status == AQ_ERR_CORRUPT || loaded.status == AQ_ERR_VERSION || loaded.status == AQ_ERR_LIMIT)
        << "case " << i << ": " << loaded.status << " " << loaded.message;
    ASSERT_NE(loaded.message, "") << "case " << i;
    ASSERT_LT(loaded.seconds, kMaxSeconds) << "case " << i;
    if (i % kProcessEvery != 0) continue;
    const ProcessResult process = RunProcess({aq, "inspect", folder.Write("damaged.aqm", bytes)}, {});
    ASSERT_EQ(process.signal, 0) << "case " << i;
    ASSERT_EQ(process.exit_code, 4) << "case " << i << process.err;
    ASSERT_EQ(process.out, "") << "case " << i;
    ASSERT_NE(process.err, "") << "case " << i;
    ASSERT_LT(process.seconds, kMaxSeconds) << "case " << i;
  }
}

}  // namespace
}  // namespace aq::test
