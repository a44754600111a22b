// SPDX-License-Identifier: Apache-2.0
// A real network: ResNet-20 converted at w8a8 answers like the float network. Needs the shared data (AQ_DATA).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "aq/aq.h"
#include "converter/calibrate.h"
#include "converter/float_executor.h"
#include "converter/onnx_reader.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

constexpr size_t kPixels = 32 * 32;

// CIFAR-10's official binary: a label byte, then planes of red, green and blue.
class Cifar : public ImageSource {
 public:
  explicit Cifar(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  size_t size() const override { return bytes_.size() / (1 + 3 * kPixels); }
  int Label(size_t i) const { return bytes_[i * (1 + 3 * kPixels)]; }
  Status Load(size_t i, std::vector<uint8_t>* pixels) const override {
    pixels->resize(3 * kPixels);
    const uint8_t* planes = &bytes_[i * (1 + 3 * kPixels) + 1];
    for (size_t c = 0; c < 3; ++c)
      for (size_t p = 0; p < kPixels; ++p) (*pixels)[p * 3 + c] = planes[c * kPixels + p];
    return {};
  }

 private:
  std::vector<uint8_t> bytes_;
};

TEST(Accuracy, ResNet20AtEightBitsIsWithinOnePercentOfFloat) {
  const char* folder = std::getenv("AQ_DATA");
  const std::string data = folder ? folder : AQ_DATA_DEFAULT;
  const Cifar calibration(data + "/cifar10/calib_2000.bin"), test(data + "/cifar10/test_5000.bin");
  if (calibration.size() == 0 || test.size() == 0) GTEST_SKIP() << "needs " << data << "/cifar10 (set AQ_DATA)";
  std::vector<Unsupported> unsupported;
  const auto graph = ReadOnnx(data + "/models/cifar10/resnet20_cifar10.onnx", {}, &unsupported);
  ASSERT_TRUE(graph.ok()) << graph.status().message();

  ConvertOptions options;
  options.preprocess = ImagenetPreprocess();
  options.calibration_count = 64;
  options.check_count = 2;
  ConvertReport report;
  const auto file = Convert(graph.value(), calibration, options, nullptr, &report);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(report.differences, 0u);

  aq_model* model = nullptr;
  aq_session* session = nullptr;
  ASSERT_EQ(aq_model_load_buffer(file.value().data(), file.value().size(), nullptr, &model), AQ_OK);
  ASSERT_EQ(aq_session_create(model, nullptr, &session), AQ_OK);
  auto executor = FloatExecutor::Create(&graph.value(), 1);
  ASSERT_TRUE(executor.ok());
  constexpr int kImages = 300;
  int float_right = 0, integer_right = 0;
  for (size_t i = 0; i < kImages; ++i) {
    std::vector<std::vector<uint8_t>> pixels(1);
    ASSERT_TRUE(test.Load(i, &pixels[0]).ok());
    const auto logits = executor->Run(ToFloat(pixels, {1, 3, 32, 32}, options.preprocess));
    ASSERT_TRUE(logits.ok());
    const std::vector<float>& reference = logits.value()[0].data;
    float_right += std::max_element(reference.begin(), reference.end()) - reference.begin() == test.Label(i);
    std::copy(pixels[0].begin(), pixels[0].end(), static_cast<uint8_t*>(aq_session_input(session, 0)));
    ASSERT_EQ(aq_session_run(session), AQ_OK);
    const int32_t* codes = static_cast<const int32_t*>(aq_session_output(session, 0));
    integer_right += std::max_element(codes, codes + 10) - codes == test.Label(i);
  }
  aq_session_destroy(session);
  aq_model_destroy(model);
  EXPECT_GE(integer_right, float_right - kImages / 100);
}

}  // namespace
}  // namespace aq::converter
