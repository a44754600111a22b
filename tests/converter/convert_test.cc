// SPDX-License-Identifier: Apache-2.0
// Convert() end to end on small graphs of every kind of op: Convert itself fails unless runtime and simulation agree on
// every tensor; here the dequantised outputs are also held against the float network.
#include "converter/convert.h"

#include <gtest/gtest.h>

#include "aq/aq.h"
#include "converter/calibrate.h"
#include "converter/float_executor.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

ConvertOptions Options(Bits bits, Preprocess preprocess = ImagenetPreprocess()) {
  ConvertOptions options;
  options.bits = bits;
  options.preprocess = std::move(preprocess);
  options.calibration_count = 48;
  options.check_count = 8;
  return options;
}

struct Model {
  aq_model* model = nullptr;
  aq_session* session = nullptr;
  explicit Model(const std::vector<uint8_t>& file) {
    EXPECT_EQ(aq_model_load_buffer(file.data(), file.size(), nullptr, &model), AQ_OK);
    aq_session_options options{};
    options.struct_size = sizeof options;
    options.num_threads = 1;
    EXPECT_EQ(aq_session_create(model, &options, &session), AQ_OK);
  }
  ~Model() {
    aq_session_destroy(session);
    aq_model_destroy(model);
  }
  // Real values of one output, in the runtime's order (channels last).
  std::vector<float> Run(const std::vector<uint8_t>& pixels, size_t output, aq_tensor_info* info) {
    std::copy(pixels.begin(), pixels.end(), static_cast<uint8_t*>(aq_session_input(session, 0)));
    EXPECT_EQ(aq_session_run(session), AQ_OK);
    info->struct_size = sizeof *info;
    EXPECT_EQ(aq_model_output_info(model, output, info), AQ_OK);
    const void* data = aq_session_output(session, output);
    const size_t count = info->bytes / (info->type == AQ_TYPE_I32 ? 4 : 1);
    std::vector<float> real(count);
    for (size_t i = 0; i < count; ++i) {
      const int32_t code =
          info->type == AQ_TYPE_I32 ? static_cast<const int32_t*>(data)[i] : static_cast<const uint8_t*>(data)[i];
      real[i] = info->scale * static_cast<float>(code - info->zero_point);
    }
    return real;
  }
};

// Signal to noise of the converted network against float over 16 images not used for calibration, all outputs.
double Decibels(const Graph& graph, const std::vector<uint8_t>& file, const ConvertOptions& options) {
  Model model(file);
  const Shape& input = graph.values[static_cast<size_t>(graph.input)].shape;
  const RandomImages images(16, input, 99);
  auto executor = FloatExecutor::Create(&graph, 1);
  EXPECT_TRUE(executor.ok());
  double signal = 0, noise = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    std::vector<std::vector<uint8_t>> pixels(1);
    EXPECT_TRUE(images.Load(i, &pixels[0]).ok());
    const auto outputs = executor->Run(ToFloat(pixels, input, options.preprocess));
    EXPECT_TRUE(outputs.ok());
    for (size_t o = 0; o < graph.outputs.size(); ++o) {
      aq_tensor_info info{};
      const std::vector<float> got = model.Run(pixels[0], o, &info);
      const FloatTensor& wanted = outputs.value()[o];
      EXPECT_EQ(got.size(), wanted.data.size());
      const size_t channels = wanted.shape.size() == 4 ? static_cast<size_t>(wanted.shape[1]) : got.size(),
                   area = got.size() / channels;
      for (size_t c = 0; c < channels; ++c)
        for (size_t p = 0; p < area; ++p) {
          const double x = wanted.data[c * area + p], d = x - got[p * channels + c];
          signal += x * x;
          noise += d * d;
        }
    }
  }
  return noise == 0 ? 200 : 10 * std::log10(signal / noise);
}

struct Case {
  const char* name;
  Graph (*make)();
  bool is_uniform = false;  // needs one mean for all channels
};

Graph ConvChain() {
  GraphBuilder b({1, 3, 9, 11});
  ValueId x = b.AddConv("stem", b.graph.input, 16, {3, 3, 2, 1, 1, 1, 0, 1, 1, 2});
  x = b.AddConv("mid", x, 24, {3, 3, 1, 1, 2, 2, 2, 2, 2, 2});
  return b.Finish({b.AddConv("last", x, 7, Square(1), 1, -1, -kInfinity)});
}
Graph Grouped() {
  GraphBuilder b({1, 3, 8, 8});
  ValueId x = b.AddConv("stem", b.graph.input, 16, Square(3, 1, 1));
  x = b.AddConv("groups", x, 24, Square(3, 1, 1), 4);
  x = b.AddConv("depthwise", x, 24, Square(5, 2, 2), 24, -1, 0, 6);
  x = b.AddConv("multiplier", x, 48, Square(3, 1, 1), 24);
  return b.Finish({b.AddConv("last", x, 5, Square(1), 1, -1, -kInfinity)});
}
// Relu blocks with identity and projection shortcuts, and one linear bottleneck: residuals with and without zero point.
Graph Residual() {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId stem = b.AddConv("stem", b.graph.input, 12, Square(3, 1, 1));
  const ValueId a = b.AddConv("a", stem, 12, Square(3, 1, 1));
  const ValueId block1 = b.AddConv("block1", a, 12, Square(3, 1, 1), 1, stem);
  const ValueId shortcut = b.AddConv("shortcut", block1, 16, Square(1, 2), 1, -1, -kInfinity);
  const ValueId c = b.AddConv("c", block1, 16, Square(3, 2, 1));
  const ValueId block2 = b.AddConv("block2", c, 16, Square(3, 1, 1), 1, shortcut);
  const ValueId linear = b.AddConv("linear", block2, 20, Square(1), 1, -1, -kInfinity);
  const ValueId d = b.AddConv("d", linear, 40, Square(1), 1, -1, 0, 6);
  const ValueId block3 = b.AddConv("block3", d, 20, Square(1), 1, linear, -kInfinity);
  return b.Finish({b.AddDense("fc", b.AddFlatten("flatten", b.AddGlobalPool("pool", block3)), 10)});
}
Graph Adds() {
  GraphBuilder b({1, 3, 6, 6});
  const ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId y = b.AddConv("other", x, 8, Square(3, 1, 1), 1, -1, -kInfinity);
  const ValueId sum = b.AddNode("add", Add{}, {x, y}, b.ShapeOf(x), 0);
  return b.Finish({b.AddConv("last", sum, 4, Square(3), 1, -1, -kInfinity)});
}
// Squeeze and excite, with look-up tables for both non-linearities.
Graph SqueezeExcite() {
  GraphBuilder b({1, 3, 8, 8});
  ValueId x = b.AddConv("stem", b.graph.input, 16, Square(3, 2, 1), 1, -1, -kInfinity);
  x = b.AddNode("swish", Elementwise{Function::kHardSwish}, {x}, b.ShapeOf(x));
  ValueId s = b.AddGlobalPool("squeeze", x);
  s = b.AddConv("fc1", s, 8, Square(1));
  s = b.AddConv("fc2", s, 16, Square(1), 1, -1, -kInfinity);
  s = b.AddNode("sigmoid", Elementwise{Function::kSigmoid}, {s}, b.ShapeOf(s));
  x = b.AddNode("excite", Mul{}, {x, s}, b.ShapeOf(x));
  return b.Finish({b.AddConv("last", x, 6, Square(1), 1, -1, -kInfinity)});
}
Graph MulSameShape() {
  GraphBuilder b({1, 3, 6, 6});
  const ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId y = b.AddConv("gate", x, 8, Square(1), 1, -1, -kInfinity);
  const ValueId product = b.AddNode("mul", Mul{}, {x, y}, b.ShapeOf(x));
  return b.Finish({b.AddConv("last", product, 4, Square(1), 1, -1, -kInfinity)});
}
// A fire module (inputs tied to the concatenation), then a concatenation of a pooled and a signed branch (rescaled).
Graph Concats() {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId squeeze = b.AddConv("squeeze", b.graph.input, 8, Square(3, 1, 1));
  const ValueId e1 = b.AddConv("expand1", squeeze, 8, Square(1)),
                e3 = b.AddConv("expand3", squeeze, 12, Square(3, 1, 1));
  const ValueId fire = b.AddNode("fire", Concat{1}, {e1, e3}, {1, 20, 8, 8});
  const ValueId pooled = b.AddPool("maxpool", fire, PoolKind::kMax, Square(3, 2, 1));
  const ValueId branch = b.AddConv("branch", fire, 6, Square(3, 2, 1), 1, -1, -kInfinity);
  const ValueId mixed = b.AddNode("mixed", Concat{1}, {pooled, branch}, {1, 26, 4, 4});
  const ValueId stacked = b.AddNode("stacked", Concat{2}, {mixed, mixed}, {1, 26, 8, 4});
  return b.Finish({b.AddConv("last", stacked, 5, Square(1), 1, -1, -kInfinity)});
}
Graph Pools() {
  GraphBuilder b({1, 3, 12, 12});
  ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1), 1, -1, -kInfinity);
  x = b.AddPool("max", x, PoolKind::kMax, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1});
  x = b.AddPool("exclude", x, PoolKind::kAverage, Square(3, 1, 1));
  x = b.AddPool("include", x, PoolKind::kAverage, Square(3, 1, 1), true);
  x = b.AddConv("mid", x, 8, Square(3, 1, 1));
  x = b.AddPool("plain", x, PoolKind::kAverage, Square(2, 2));
  return b.Finish({b.AddFlatten("flatten", b.AddGlobalPool("global", b.AddConv("last", x, 10, Square(1))))});
}
// Option A shortcut: slice and pad of the block input.
Graph OptionA() {
  GraphBuilder b({1, 3, 8, 8});
  const ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId sliced = b.AddNode("slice", Slice{{0, 0, 0, 0}, {1, 1, 2, 2}}, {x}, {1, 8, 4, 4});
  const ValueId padded = b.AddNode("pad", Pad{{0, 4, 0, 0}, {0, 4, 0, 0}}, {sliced}, {1, 16, 4, 4});
  const ValueId y = b.AddConv("down", x, 16, Square(3, 2, 1));
  const ValueId sum = b.AddConv("block", y, 16, Square(3, 1, 1), 1, padded);
  const ValueId corner = b.AddNode("corner", Slice{{0, 2, 1, 0}, {1, 3, 1, 2}}, {sum}, {1, 5, 3, 2});
  return b.Finish({b.AddConv("last", corner, 4, Square(1), 1, -1, -kInfinity)});
}
// Flatten of an image, reshapes and transposes that must keep the NCHW element order.
Graph Shapes() {
  GraphBuilder b({1, 3, 4, 6});
  ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1), 1, -1, -kInfinity);
  x = b.AddNode("reshape", Reshape{}, {x}, {1, 4, 8, 6});
  x = b.AddConv("mid", x, 6, Square(3, 1, 1));
  x = b.AddNode("transpose", Transpose{{0, 3, 1, 2}}, {x}, {1, 6, 6, 8});
  x = b.AddConv("mid2", x, 4, Square(3, 2, 1));
  const ValueId flat = b.AddFlatten("flatten", x);
  return b.Finish({b.AddDense("fc", flat, 9)});
}
Graph FlattenedTwice() {
  GraphBuilder b({1, 3, 4, 4});
  const ValueId x = b.AddConv("stem", b.graph.input, 4, Square(3, 1, 1));
  const ValueId flat = b.AddFlatten("flatten", x);
  const ValueId relu = b.AddNode("leaky", Elementwise{Function::kLeakyRelu, 0.1f}, {flat}, b.ShapeOf(flat));
  return b.Finish({b.AddDense("fc", relu, 6), b.AddDense("fc2", flat, 3)});
}
// A clip that could not be fused: the convolution's output has two readers.
Graph LooseClip() {
  GraphBuilder b({1, 3, 6, 6});
  const ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1), 1, -1, -kInfinity);
  const ValueId clipped = b.AddNode("clip", Elementwise{Function::kClip, -0.5f, 1.0f}, {x}, b.ShapeOf(x));
  Window window = Square(2, 2);
  const ValueId pooled = b.AddNode("maxclip", Pool{PoolKind::kMax, window, false}, {x}, {1, 8, 3, 3}, 0, 0.7f);
  const ValueId y = b.AddConv("y", clipped, 8, Square(2, 2), 1, pooled);
  return b.Finish({b.AddConv("last", y, 4, Square(1), 1, -1, -kInfinity)});
}
Graph DenseNet() {
  GraphBuilder b({1, 24});
  const ValueId x = b.AddDense("fc1", b.graph.input, 32, 0);
  const ValueId y = b.AddDense("fc2", x, 16, 0);
  return b.Finish({b.AddDense("fc3", y, 24)});
}
// The input is read twice, and through a pad: scale and zero point instead of folding.
Graph SharedInput() {
  GraphBuilder b({1, 3, 6, 6});
  const ValueId padded = b.AddNode("pad", Pad{{0, 0, 1, 1}, {0, 0, 1, 1}}, {b.graph.input}, {1, 3, 8, 8});
  const ValueId x = b.AddConv("x", padded, 8, Square(3)), y = b.AddConv("y", b.graph.input, 8, Square(3, 1, 1), 1, x);
  return b.Finish({b.AddConv("last", y, 4, Square(1), 1, -1, -kInfinity)});
}
// Two outputs of different depth; one is read on, so it is stored twice.
Graph TwoOutputs() {
  GraphBuilder b({1, 3, 6, 6});
  const ValueId x = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId y = b.AddConv("head1", x, 6, Square(1), 1, -1, -kInfinity);
  const ValueId z = b.AddConv("tail", y, 6, Square(3, 1, 1));
  return b.Finish(
      {y, b.AddConv("head2", z, 4, Square(1), 1, -1, -kInfinity), b.AddPool("head3", z, PoolKind::kMax, Square(2, 2))});
}

const Case kCases[] = {{"ConvChain", ConvChain},
                       {"Grouped", Grouped},
                       {"Residual", Residual},
                       {"Adds", Adds},
                       {"SqueezeExcite", SqueezeExcite},
                       {"MulSameShape", MulSameShape},
                       {"Concats", Concats},
                       {"Pools", Pools},
                       {"OptionA", OptionA},
                       {"Shapes", Shapes},
                       {"FlattenedTwice", FlattenedTwice},
                       {"LooseClip", LooseClip},
                       {"DenseNet", DenseNet, true},
                       {"SharedInput", SharedInput, true},
                       {"TwoOutputs", TwoOutputs}};

class ConvertCase : public testing::TestWithParam<Case> {
 protected:
  ConvertOptions MakeOptions(Bits bits) const {
    return Options(bits, GetParam().is_uniform ? HalfPreprocess() : ImagenetPreprocess());
  }
};

TEST_P(ConvertCase, EightBitsStayCloseToFloat) {
  const Graph graph = GetParam().make();
  const RandomImages images(64, graph.values[static_cast<size_t>(graph.input)].shape, 1);
  const ConvertOptions options = MakeOptions({8, 8});
  ConvertReport report;
  const auto file = Convert(graph, images, options, nullptr, &report);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(report.differences, 0u);
  EXPECT_EQ(report.checked_images, 8u);
  EXPECT_GT(report.checked_tensors, 0u);
  EXPECT_GT(Decibels(graph, file.value(), options), 27);
}

TEST_P(ConvertCase, EveryRecipeIsBitExact) {
  const Graph graph = GetParam().make();
  const RandomImages images(32, graph.values[static_cast<size_t>(graph.input)].shape, 1);
  double previous = 0;
  for (const Bits bits :
       {Bits{2, 2}, Bits{4, 4}, Bits{2, 8}, Bits{8, 2}, Bits{4, 8}, Bits{8, 4}, Bits{2, 2, 8}, Bits{4, 2, 4}}) {
    for (const Edges edges : {Edges::kQdrop, Edges::kBrecq}) {
      ConvertOptions options = MakeOptions(bits);
      options.edges = edges;
      options.check_count = 4;
      options.asymmetric_weights = edges == Edges::kQdrop;
      ConvertReport report;
      const auto file = Convert(graph, images, options, nullptr, &report);
      ASSERT_TRUE(file.ok()) << "w" << bits.weights << "a" << bits.activations << ": " << file.status().message();
      EXPECT_EQ(report.differences, 0u);
      if (edges == Edges::kQdrop && bits.weights == 2 && bits.activations == 2)
        previous = Decibels(graph, file.value(), options);
      if (edges == Edges::kQdrop && bits.weights == 4 && bits.activations == 4) {
        EXPECT_GE(Decibels(graph, file.value(), options), previous);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, ConvertCase, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST(Convert, BytesDoNotDependOnThreads) {
  const Graph graph = Residual();
  const RandomImages images(70, {1, 3, 8, 8}, 1);
  ConvertOptions options = Options({4, 4});
  const auto one = Convert(graph, images, options, nullptr, nullptr);
  options.num_threads = 2;
  const auto two = Convert(graph, images, options, nullptr, nullptr);
  options.num_threads = 3;
  const auto three = Convert(graph, images, options, nullptr, nullptr);
  ASSERT_TRUE(one.ok() && two.ok() && three.ok());
  EXPECT_EQ(one.value(), two.value());
  EXPECT_EQ(one.value(), three.value());
  options.seed = 2;  // other images
  EXPECT_NE(one.value(), Convert(graph, images, options, nullptr, nullptr).value());
}

TEST(Convert, BiasCorrectionRemovesTheMeanError) {
  const Graph graph = Residual();
  const RandomImages images(48, {1, 3, 8, 8}, 1);
  ConvertOptions options = Options({4, 4});
  const auto corrected = Convert(graph, images, options, nullptr, nullptr);
  options.bias_correction = false;
  const auto plain = Convert(graph, images, options, nullptr, nullptr);
  ASSERT_TRUE(corrected.ok() && plain.ok());
  // Mean over the calibration images of (integer - float), largest channel of the last layer.
  const auto worst_mean = [&](const std::vector<uint8_t>& file) {
    Model model(file);
    auto executor = FloatExecutor::Create(&graph, 1);
    std::vector<double> sums(10);
    for (size_t i = 0; i < images.size(); ++i) {
      std::vector<std::vector<uint8_t>> pixels(1);
      EXPECT_TRUE(images.Load(i, &pixels[0]).ok());
      aq_tensor_info info{};
      const std::vector<float> got = model.Run(pixels[0], 0, &info);
      const auto wanted = executor->Run(ToFloat(pixels, {1, 3, 8, 8}, options.preprocess));
      for (size_t c = 0; c < 10; ++c)
        sums[c] += static_cast<double>(got[c]) - static_cast<double>(wanted.value()[0].data[c]);
    }
    double worst = 0;
    for (const double sum : sums) worst = std::max(worst, std::abs(sum) / static_cast<double>(images.size()));
    return worst;
  };
  EXPECT_LT(worst_mean(corrected.value()), 1e-3);
  EXPECT_GT(worst_mean(plain.value()), 1e-2);
}

TEST(Convert, FileSaysHowItWasMade) {
  const Graph graph = ConvChain();
  const RandomImages images(8, {1, 3, 9, 11}, 1);
  ConvertOptions options = Options({4, 8});
  options.metadata = {{"aq.labels", "cat\ndog"}, {"general.license", "MIT"}};
  const auto file = Convert(graph, images, options, nullptr, nullptr);
  ASSERT_TRUE(file.ok()) << file.status().message();
  Model model(file.value());
  const auto value = [&](const char* key) {
    const char* text = "";
    EXPECT_EQ(aq_model_metadata(model.model, key, &text), AQ_OK) << key;
    return std::string(text);
  };
  EXPECT_EQ(value("aq.preprocess.mean"), "123.675003,116.279999,103.529999");
  EXPECT_EQ(value("aq.preprocess.color"), "rgb");
  EXPECT_EQ(value("aq.labels"), "cat\ndog");
  EXPECT_EQ(value("aq.rounding"), "nearest");
  EXPECT_NE(value("aq.recipe").find("\"bits\":4"), std::string::npos);
  EXPECT_NE(value("aq.calibration").find("\"images\":8"), std::string::npos);
}

class WrongSize : public RandomImages {
 public:
  using RandomImages::RandomImages;
  Status Load(size_t, std::vector<uint8_t>* pixels) const override {
    pixels->assign(7, 0);
    return {};
  }
};

TEST(Convert, RefusesWhatCannotWork) {
  const Graph chain = ConvChain();
  const ConvertOptions options = Options({8, 8});
  // Neither images nor BatchNorm statistics.
  EXPECT_EQ(Convert(chain, RandomImages(0, {1, 3, 9, 11}, 1), options, nullptr, nullptr).status().code(),
            Code::kUnsupported);
  const Status wrong_size = Convert(chain, WrongSize(4, {1, 3, 9, 11}, 1), options, nullptr, nullptr).status();
  EXPECT_EQ(wrong_size.code(), Code::kInvalidArgument);
  EXPECT_NE(wrong_size.message().find("7 bytes"), std::string::npos) << wrong_size.message();
  // Three means cannot be folded when two layers read the input.
  EXPECT_EQ(Convert(SharedInput(), RandomImages(4, {1, 3, 6, 6}, 1), options, nullptr, nullptr).status().code(),
            Code::kUnsupported);
  Graph broken = ConvChain();
  std::get<Conv>(broken.nodes[1].attributes).weights[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(Convert(broken, RandomImages(4, {1, 3, 9, 11}, 1), options, nullptr, nullptr).ok());
}

TEST(Convert, DeadChannelsWithALargeBiasSurvive) {
  Graph graph = ConvChain();
  Conv& mid = std::get<Conv>(graph.nodes[1].attributes);
  for (size_t i = 0; i < mid.weights.size() / 24; ++i) mid.weights[i] = 0;
  for (size_t i = mid.weights.size() / 24; i < mid.weights.size() / 12; ++i) mid.weights[i] *= 1e-9f;
  mid.bias[0] = 3;
  mid.bias[1] = -2;
  const ConvertOptions options = Options({8, 8});
  const auto file = Convert(graph, RandomImages(16, {1, 3, 9, 11}, 1), options, nullptr, nullptr);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_GT(Decibels(graph, file.value(), options), 27);
}

}  // namespace
}  // namespace aq::converter
