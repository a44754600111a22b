// SPDX-License-Identifier: Apache-2.0
// Import of each operator against direct computation, hostile files, unsupported nodes, and the real networks.
#include "converter/onnx_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>

#include "converter/external_data.h"
#include "tests/converter/graph_builder.h"
#include "tests/converter/onnx_builder.h"

namespace aq::converter {
namespace {

using Dims = std::vector<int64_t>;
using Floats = std::vector<float>;

Result<Graph> ReadBytes(const std::string& bytes, std::vector<Unsupported>* unsupported = nullptr) {
  const TemporaryFolder folder;
  return ReadOnnx(folder.Write("m.onnx", bytes), {}, unsupported);
}

// Imports, runs on `input`, returns the first output ({} on failure, with a test failure).
Floats Evaluate(const OnnxBuilder& builder, const Floats& input, Shape* shape = nullptr) {
  std::vector<Unsupported> unsupported;
  const Result<Graph> graph = ReadBytes(builder.Bytes(), &unsupported);
  if (!graph.ok()) {
    ADD_FAILURE() << graph.status().message() << "\n" << FormatUnsupported(unsupported);
    return {};
  }
  Result<FloatExecutor> executor = FloatExecutor::Create(&graph.value(), 1);
  const Result<std::vector<FloatTensor>> outputs =
      executor->Run({graph.value().values[static_cast<size_t>(graph.value().input)].shape, input});
  if (!outputs.ok()) {
    ADD_FAILURE() << outputs.status().message();
    return {};
  }
  if (shape) *shape = outputs.value()[0].shape;
  return outputs.value()[0].data;
}

void ExpectNear(const Floats& got, const Floats& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5f) << i;
}

const Floats kX = {-2, -1, -0.5f, 0, 0.5f, 1, 2, 4};  // {1, 2, 2, 2} or {1, 8}

struct UnaryCase {
  const char* op;
  int64_t opset;
  float alpha;
  float (*want)(float);
};

TEST(OnnxReader, FunctionsOfOneValue) {
  const UnaryCase cases[] = {
      {"Relu", 9, 0, [](float x) { return std::max(x, 0.0f); }},
      {"LeakyRelu", 9, 0.25f, [](float x) { return x < 0 ? x / 4 : x; }},
      {"Sigmoid", 13, 0, [](float x) { return 1 / (1 + std::exp(-x)); }},
      {"HardSigmoid", 13, 0.25f, [](float x) { return std::min(1.0f, std::max(0.0f, x / 4 + 0.5f)); }},
      {"HardSwish", 14, 0, [](float x) { return x * std::min(1.0f, std::max(0.0f, x / 6 + 0.5f)); }},
      {"Tanh", 13, 0, [](float x) { return std::tanh(x); }},
      {"Elu", 13, 0.5f, [](float x) { return x < 0 ? 0.5f * (std::exp(x) - 1) : x; }},
      {"Gelu", 20, 0, [](float x) { return x * 0.5f * (1 + std::erf(x / std::sqrt(2.0f))); }},
      {"Softplus", 13, 0, [](float x) { return std::log(1 + std::exp(x)); }},
      {"Identity", 13, 0, [](float x) { return x; }},
      {"Dropout", 9, 0, [](float x) { return x; }},
      {"Neg", 13, 0, [](float x) { return -x; }},
      {"Abs", 13, 0, [](float x) { return std::fabs(x); }}};
  for (const UnaryCase& test : cases) {
    SCOPED_TRACE(test.op);
    OnnxBuilder builder(test.opset, {1, 8}, "z");
    auto* node = builder.Node(test.op, {"x"}, {"y"});
    if (test.alpha != 0) OnnxBuilder::SetFloat(node, "alpha", test.alpha);
    builder.Node("Neg", {"y"}, {"z"});
    Floats want;
    for (float x : kX) want.push_back(-test.want(x));
    ExpectNear(Evaluate(builder, kX), want);
  }
}

TEST(OnnxReader, ClipTakesAttributesBeforeOpset11AndInputsAfter) {
  const Floats want = {-1, -1, -0.5f, 0, 0.5f, 1, 1.5f, 1.5f};
  OnnxBuilder old(10, {1, 8});
  auto* node = old.Node("Clip", {"x"}, {"y"});
  OnnxBuilder::SetFloat(node, "min", -1);
  OnnxBuilder::SetFloat(node, "max", 1.5f);
  ExpectNear(Evaluate(old, kX), want);
  OnnxBuilder fresh(13, {1, 8});
  fresh.Floats("low", {}, {-1});
  fresh.Floats("high", {}, {1.5f});
  fresh.Node("Clip", {"x", "low", "high"}, {"y"});
  ExpectNear(Evaluate(fresh, kX), want);
}

TEST(OnnxReader, ArithmeticWithConstantsInEitherOrder) {
  struct Case {
    const char* op;
    bool is_first;
    Dims dims;
    Floats constant;
    Floats want;
  };
  const Case cases[] = {{"Add", false, {}, {1}, {-1, 0, 0.5f, 1, 1.5f, 2, 3, 5}},
                        {"Sub", true, {1}, {1}, {3, 2, 1.5f, 1, 0.5f, 0, -1, -3}},
                        {"Sub", false, {2, 1, 1}, {1, 2}, {-3, -2, -1.5f, -1, -1.5f, -1, 0, 2}},
                        {"Mul", true, {1, 2, 1, 1}, {2, 3}, {-4, -2, -1, 0, 1.5f, 3, 6, 12}},
                        {"Div", false, {2, 1, 1}, {2, 4}, {-1, -0.5f, -0.25f, 0, 0.125f, 0.25f, 0.5f, 1}},
                        {"Max", false, {}, {0.25f}, {0.25f, 0.25f, 0.25f, 0.25f, 0.5f, 1, 2, 4}},
                        {"Min", true, {}, {1}, {-2, -1, -0.5f, 0, 0.5f, 1, 1, 1}}};
  for (const Case& test : cases) {
    SCOPED_TRACE(test.op);
    OnnxBuilder builder(13, {1, 2, 2, 2});
    builder.Floats("c", test.dims, test.constant);
    builder.Node(test.op, test.is_first ? std::vector<std::string>{"c", "x"} : std::vector<std::string>{"x", "c"},
                 {"y"});
    ExpectNear(Evaluate(builder, kX), test.want);
  }
}

TEST(OnnxReader, SqueezeExciteInEitherOrderAndSubOfActivations) {
  OnnxBuilder builder(13, {1, 2, 2, 2});
  builder.Node("GlobalAveragePool", {"x"}, {"mean"});
  builder.Node("Mul", {"mean", "x"}, {"scaled"});
  builder.Node("Sub", {"scaled", "x"}, {"y"});
  Floats want;
  for (size_t i = 0; i < 8; ++i) want.push_back(kX[i] * (i < 4 ? -0.875f : 1.875f) - kX[i]);
  ExpectNear(Evaluate(builder, kX), want);
}

TEST(OnnxReader, ConvWithAutoPadAndBatchNorm) {
  OnnxBuilder builder(13, {1, 1, 3, 3});
  builder.Floats("w", {1, 1, 2, 2}, {1, 2, 3, 4});
  builder.Floats("gamma", {1}, {2});
  builder.Floats("beta", {1}, {1});
  builder.Floats("mean", {1}, {3});
  builder.Floats("var", {1}, {4});
  auto* conv = builder.Node("Conv", {"x", "w"}, {"c"});
  OnnxBuilder::SetString(conv, "auto_pad", "SAME_UPPER");
  OnnxBuilder::SetFloat(builder.Node("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, {"y"}), "epsilon", 0);
  const Floats sums = {37, 47, 21, 67, 77, 33, 23, 26, 9};  // padded below and right
  Floats want;
  for (float sum : sums) want.push_back(2 * (sum - 3) / 2 + 1);
  ExpectNear(Evaluate(builder, {1, 2, 3, 4, 5, 6, 7, 8, 9}), want);
  OnnxBuilder::SetString(conv, "unused", "");
  const Result<Graph> graph = ReadBytes(builder.Bytes());
  ASSERT_TRUE(graph.ok());
  ASSERT_EQ(graph.value().nodes.size(), 1u);
  EXPECT_EQ(graph.value().nodes[0].name, "Conv_c");
  EXPECT_EQ(std::get<Conv>(graph.value().nodes[0].attributes).bn_mean, Floats{1});
}

TEST(OnnxReader, Conv1dAndPool1d) {
  OnnxBuilder builder(13, {1, 1, 4});
  builder.Floats("w", {1, 1, 2}, {1, 10});
  builder.Node("Conv", {"x", "w"}, {"c"});
  OnnxBuilder::SetInts(builder.Node("MaxPool", {"c"}, {"y"}), "kernel_shape", {2});
  Shape shape;
  ExpectNear(Evaluate(builder, {1, 2, 3, 1}, &shape), {32, 32});
  EXPECT_EQ(shape, (Shape{1, 1, 2}));
}

TEST(OnnxReader, GemmAndMatMulWithBias) {
  OnnxBuilder gemm(13, {1, 2});
  gemm.Floats("b", {3, 2}, {1, 2, 3, 4, 5, 6});
  gemm.Floats("c", {3}, {1, 2, 3});
  auto* node = gemm.Node("Gemm", {"x", "b", "c"}, {"y"});
  OnnxBuilder::SetInt(node, "transB", 1);
  OnnxBuilder::SetFloat(node, "alpha", 2);
  OnnxBuilder::SetFloat(node, "beta", 0.5f);
  ExpectNear(Evaluate(gemm, {1, -1}), {-1.5f, -1, -0.5f});
  OnnxBuilder product(13, {1, 2});
  product.Floats("b", {2, 3}, {1, 2, 3, 4, 5, 6});
  product.Floats("c", {3}, {1, 2, 3});
  product.Node("MatMul", {"x", "b"}, {"p"});
  product.Node("Add", {"c", "p"}, {"y"});
  ExpectNear(Evaluate(product, {1, -1}), {-2, -1, 0});
  const Result<Graph> graph = ReadBytes(product.Bytes());
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph.value().nodes.size(), 1u) << Dump(graph.value());
}

TEST(OnnxReader, PoolCeilModeAndReduceMean) {
  OnnxBuilder builder(13, {1, 1, 3, 3});
  auto* pool = builder.Node("MaxPool", {"x"}, {"y"});
  OnnxBuilder::SetInts(pool, "kernel_shape", {2, 2});
  OnnxBuilder::SetInts(pool, "strides", {2, 2});
  OnnxBuilder::SetInt(pool, "ceil_mode", 1);
  ExpectNear(Evaluate(builder, {1, 2, 3, 4, 5, 6, 7, 8, 9}), {5, 6, 8, 9});
  OnnxBuilder reduce(13, {1, 2, 2, 2});
  auto* mean = reduce.Node("ReduceMean", {"x"}, {"y"});
  OnnxBuilder::SetInts(mean, "axes", {-2, -1});
  OnnxBuilder::SetInt(mean, "keepdims", 0);
  Shape shape;
  ExpectNear(Evaluate(reduce, kX, &shape), {-0.875f, 1.875f});
  EXPECT_EQ(shape, (Shape{1, 2}));
}

TEST(OnnxReader, ShapePlumbingIsFoldedWithBatchOne) {
  OnnxBuilder builder(13, {4, 2, 2, 2});  // fixed batch of 4
  builder.Ints("zero", {0});
  builder.Ints("rest", {-1});
  builder.Node("Shape", {"x"}, {"s"});
  builder.Node("Gather", {"s", "zero"}, {"n"});
  builder.Node("Concat", {"n", "rest"}, {"target"});
  OnnxBuilder::SetInt(builder.model.mutable_graph()->mutable_node(2), "axis", 0);
  builder.Node("Reshape", {"x", "target"}, {"flat"});
  builder.Ints("again", {4, 2, 4});
  builder.Node("Reshape", {"flat", "again"}, {"y"});
  Shape shape;
  EXPECT_EQ(Evaluate(builder, kX, &shape), kX);
  EXPECT_EQ(shape, (Shape{1, 2, 4}));
}

TEST(OnnxReader, WeightExpressionsAreFolded) {
  OnnxBuilder builder(13, {1, 2});
  builder.Floats("w", {2, 2}, {1, 2, 3, 4});
  builder.Floats("two", {}, {2});
  builder.Node("Mul", {"w", "two"}, {"w2"});
  builder.Node("Transpose", {"w2"}, {"wt"});
  builder.Node("MatMul", {"x", "wt"}, {"y"});
  ExpectNear(Evaluate(builder, {1, 10}), {42, 86});
}

TEST(OnnxReader, SliceSplitConcatPad) {
  OnnxBuilder builder(13, {1, 2, 2, 2});
  auto* split = builder.Node("Split", {"x"}, {"a", "b"});
  OnnxBuilder::SetInt(split, "axis", 1);
  builder.Ints("starts", {-1});
  builder.Ints("ends", {9});
  builder.Ints("axes", {3});
  builder.Node("Slice", {"b", "starts", "ends", "axes"}, {"c"});
  builder.Ints("pads", {0, 0, 0, 1, 0, 0, 0, 0});
  builder.Node("Pad", {"c", "pads"}, {"d"});
  OnnxBuilder::SetInt(builder.Node("Concat", {"d", "a"}, {"y"}), "axis", 1);
  ExpectNear(Evaluate(builder, kX), {0, 1, 0, 4, -2, -1, -0.5f, 0});
}

TEST(OnnxReader, FinalSoftmaxGoesWithAWarning) {
  OnnxBuilder builder(13, {1, 8});
  builder.Node("Neg", {"x"}, {"n"});
  builder.Node("Softmax", {"n"}, {"y"});
  const Result<Graph> graph = ReadBytes(builder.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph.value().nodes.size(), 1u);
  ASSERT_EQ(graph.value().warnings.size(), 1u);
  EXPECT_NE(graph.value().warnings[0].find("Softmax removed"), std::string::npos);
}

TEST(OnnxReader, EveryWeightTypeIsReadExactly) {
  struct Case {
    int type;
    std::string raw;
    float want;
  };
  const Case cases[] = {{onnx::TensorProto::FLOAT16, std::string("\x00\xbe", 2), -1.5f},
                        {onnx::TensorProto::BFLOAT16, std::string("\xc0\x3f", 2), 1.5f},
                        {onnx::TensorProto::DOUBLE, std::string("\0\0\0\0\0\0\xf8\x3f", 8), 1.5f},
                        {onnx::TensorProto::INT8, "\xfe", -2},
                        {onnx::TensorProto::UINT8, "\xfe", 254},
                        {onnx::TensorProto::INT32, "\xfe\xff\xff\xff", -2},
                        {22, "\x0e", -2},
                        {21, "\x0e", 14}};
  for (const Case& test : cases) {
    SCOPED_TRACE(test.type);
    OnnxBuilder builder(13, {1, 1});
    auto* tensor = builder.Floats("w", {1, 1}, {});
    tensor->set_data_type(test.type);
    tensor->set_raw_data(test.raw);
    builder.Node("MatMul", {"x", "w"}, {"y"});
    ExpectNear(Evaluate(builder, {1}), {test.want});
    tensor->set_raw_data(test.raw + "x");
    EXPECT_EQ(ReadBytes(builder.Bytes()).status().code(), Code::kCorrupt);
    tensor->set_raw_data("");
    EXPECT_EQ(ReadBytes(builder.Bytes()).status().code(), Code::kCorrupt);
  }
}

OnnxBuilder DenseModel() {
  OnnxBuilder builder(13, {1, 2});
  builder.Floats("w", {2, 1}, {1, 2});
  builder.Node("MatMul", {"x", "w"}, {"y"});
  return builder;
}

TEST(OnnxReader, EveryTruncationIsRefused) {
  const std::string bytes = DenseModel().Bytes();
  ASSERT_TRUE(ReadBytes(bytes).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Result<Graph> graph = ReadBytes(bytes.substr(0, size));
    ASSERT_FALSE(graph.ok()) << size;
  }
}

TEST(OnnxReader, HostileDimensionsAreRefused) {
  for (const Dims& dims : {Dims{-1, 1}, Dims{2, 2}, Dims{int64_t{1} << 40, int64_t{1} << 40}, Dims{1}}) {
    OnnxBuilder builder = DenseModel();
    auto* tensor = builder.model.mutable_graph()->mutable_initializer(0);
    tensor->clear_dims();
    for (int64_t dim : dims) tensor->add_dims(dim);
    EXPECT_EQ(ReadBytes(builder.Bytes()).status().code(), Code::kCorrupt) << dims[0];
  }
}

TEST(OnnxReader, MissingFileIsIo) {
  EXPECT_EQ(ReadOnnx("/nonexistent/m.onnx", {}, nullptr).status().code(), Code::kIo);
}

Status ReadExternal(const TemporaryFolder& folder, const std::string& location, const std::string& offset,
                    const std::string& length) {
  OnnxBuilder builder = DenseModel();
  auto* tensor = builder.model.mutable_graph()->mutable_initializer(0);
  tensor->clear_raw_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : {std::pair{"location", location}, {"offset", offset}, {"length", length}}) {
    auto* entry = tensor->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return ReadOnnx(folder.Write("m.onnx", builder.Bytes()), {}, nullptr).status();
}

TEST(OnnxReader, ExternalDataStaysInItsFolder) {
  const TemporaryFolder folder;
  const std::string data = folder.Write("w.bin", std::string(16, '\0'));
  std::filesystem::create_directory(folder / "sub");
  folder.Write("sub/v.bin", std::string(8, '\0'));
  EXPECT_TRUE(ReadExternal(folder, "w.bin", "8", "8").ok());
  EXPECT_TRUE(ReadExternal(folder, "sub/v.bin", "0", "8").ok());
  EXPECT_EQ(ReadExternal(folder, "none.bin", "0", "8").code(), Code::kIo);
  EXPECT_EQ(ReadExternal(folder, "sub/../w.bin", "0", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "../w.bin", "0", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, data, "0", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "", "0", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "sub", "0", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "w.bin", "9", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "w.bin", "18446744073709551615", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "w.bin", "-1", "8").code(), Code::kCorrupt);
  EXPECT_EQ(ReadExternal(folder, "w.bin", "0", "16").code(), Code::kCorrupt);
  std::filesystem::create_symlink("w.bin", folder / "link.bin");
  EXPECT_EQ(ReadExternal(folder, "link.bin", "0", "8").code(), Code::kCorrupt);
  std::filesystem::create_directory_symlink("sub", folder / "dir");
  EXPECT_EQ(ReadExternal(folder, "dir/v.bin", "0", "8").code(), Code::kCorrupt);
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadExternal(folder, "fifo", "0", "8").code(), Code::kCorrupt);
  std::filesystem::create_hard_link(folder / "sub/v.bin", folder / "hard.bin");
  EXPECT_EQ(ReadExternal(folder, "hard.bin", "0", "8").code(), Code::kCorrupt);
}

TEST(ExternalData, ComponentwiseOpenRefusesWhatTheKernelRefuses) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sub");
  folder.Write("sub/v.bin", "x");
  std::filesystem::create_directory_symlink("sub", folder / "dir");
  std::filesystem::create_symlink("v.bin", folder / "sub/link");
  const int fd = open((folder / "").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_GE(fd, 0);
  for (const char* bad : {"dir/v.bin", "sub/link", "sub/../../etc/passwd", "none"}) {
    EXPECT_LT(internal::OpenBeneathComponentwise(fd, bad), 0) << bad;
    EXPECT_LT(internal::OpenBeneathKernel(fd, bad), 0) << bad;
  }
  const int good = internal::OpenBeneathComponentwise(fd, "./sub//v.bin");
  EXPECT_GE(good, 0);
  close(good);
  close(fd);
}

TEST(OnnxReader, ListsEveryUnsupportedNodeInOnePass) {
  OnnxBuilder builder(13, {1, 2, 2, 2});
  builder.Node("Mystery", {"x"}, {"a"});
  builder.Node("Relu", {"a"}, {"b"});  // supported, behind an unknown value
  builder.Node("Erf", {"b"}, {"c"});
  builder.Node("Relu", {"x"}, {"d"})->set_domain("com.example");
  builder.Node("Div", {"x", "x"}, {"y"});
  std::vector<Unsupported> unsupported;
  const Result<Graph> graph = ReadBytes(builder.Bytes(), &unsupported);
  EXPECT_EQ(graph.status().code(), Code::kUnsupported);
  ASSERT_EQ(unsupported.size(), 4u) << FormatUnsupported(unsupported);
  EXPECT_EQ(unsupported[0].op, "Mystery");
  EXPECT_EQ(unsupported[0].shape, "[1, 2, 2, 2]");
  EXPECT_EQ(unsupported[0].opset, 13);
  EXPECT_EQ(unsupported[1].op, "Erf");
  EXPECT_EQ(unsupported[2].op, "com.example.Relu");
  EXPECT_EQ(unsupported[3].node, "Div_y");
  EXPECT_NE(FormatUnsupported(unsupported).find("Mystery_a"), std::string::npos);
}

TEST(OnnxReader, RefusesOpsetsUnknownInputsAndDoubleNames) {
  EXPECT_EQ(ReadBytes([] {
              auto b = DenseModel();
              b.model.mutable_opset_import(0)->set_version(8);
              return b;
            }()
                          .Bytes())
                .status()
                .code(),
            Code::kUnsupported);
  EXPECT_EQ(ReadBytes([] {
              auto b = DenseModel();
              b.Node("Relu", {"nowhere"}, {"z"});
              return b;
            }()
                          .Bytes())
                .status()
                .code(),
            Code::kCorrupt);
  EXPECT_EQ(ReadBytes([] {
              auto b = DenseModel();
              b.Node("Relu", {"x"}, {"y"});
              return b;
            }()
                          .Bytes())
                .status()
                .code(),
            Code::kCorrupt);
}

std::string DataFolder() {
  const char* folder = std::getenv("AQ_DATA");
  return folder ? folder : AQ_DATA_DEFAULT;
}

struct RealNetwork {
  const char* file;
  size_t nodes;  // after Lower
  int64_t macs;
};

TEST(OnnxReader, RealNetworksBecomeTheExpectedGraphs) {
  const std::string models = DataFolder() + "/models/";
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "no data in " << models;
  const RealNetwork networks[] = {
      {"cifar10/resnet20_cifar10.onnx", 26, 40551040},   {"cifar10/resnet20_cifar10_bnfold_conv1x1.onnx", 24, 0},
      {"mlperf_tiny/resnet8_cifar10.onnx", 12, 0},       {"mlperf_tiny/dscnn_kws.onnx", 12, 0},
      {"mlperf_tiny/mobilenetv1_025_vww96.onnx", 30, 0}, {"mlperf_tiny/autoencoder_toycar.onnx", 10, 0},
      {"imagenet/mobilenet_v1_075_224.onnx", 30, 0},     {"imagenet/squeezenet_v1_1.onnx", 39, 0}};
  for (const RealNetwork& network : networks) {
    std::vector<Unsupported> unsupported;
    const Result<Graph> graph = ReadOnnx(models + network.file, {}, &unsupported);
    ASSERT_TRUE(graph.ok()) << graph.status().message() << "\n" << FormatUnsupported(unsupported);
    EXPECT_EQ(graph.value().nodes.size(), network.nodes) << network.file << "\n" << Dump(graph.value());
    if (network.macs > 0) {
      EXPECT_EQ(Macs(graph.value()), network.macs);
    }
    EXPECT_EQ(graph.value().source_sha256.size(), 64u);
    EXPECT_FALSE(RunGraph(graph.value()).empty());
  }
}

TEST(OnnxReader, VisionTransformerIsListedNotConverted) {
  const std::string file = DataFolder() + "/models/imagenet/vit_tiny_patch16_224.onnx";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file;
  std::vector<Unsupported> unsupported;
  EXPECT_EQ(ReadOnnx(file, {}, &unsupported).status().code(), Code::kUnsupported);
  EXPECT_GT(unsupported.size(), 50u);
}

}  // namespace
}  // namespace aq::converter
