// SPDX-License-Identifier: Apache-2.0
// Presets, crops and channel orders, value by value.
#include "tools/preprocess.h"

#include <gtest/gtest.h>

#include "tools/command_line.h"
#include "tools/evaluate.h"
#include "tools/exit_codes.h"
#include "tools/metrics.h"

namespace aq::tools {
namespace {

Image MakeImage(int h, int w, int c) {
  Image image{h, w, c, {}};
  for (int i = 0; i < h * w * c; ++i) image.pixels.push_back(static_cast<uint8_t>(i));
  return image;
}

TEST(Preprocess, PresetsAreTheDocumentedNumbers) {
  const auto imagenet = ResolvePreprocess({.preset = "imagenet", .crop = 224}, nullptr);
  ASSERT_TRUE(imagenet.ok());
  EXPECT_EQ(imagenet.value().mean, (std::vector<float>{123.675f, 116.28f, 103.53f}));
  EXPECT_EQ(imagenet.value().stddev, (std::vector<float>{58.395f, 57.12f, 57.375f}));
  EXPECT_EQ(imagenet.value().crop, 224);
  const auto caffe = ResolvePreprocess({.preset = "caffe"}, nullptr);
  EXPECT_EQ(caffe.value().color, "bgr");
  EXPECT_EQ(caffe.value().mean, (std::vector<float>{104, 117, 123}));
  EXPECT_EQ(caffe.value().stddev, std::vector<float>{1});
  const auto half = ResolvePreprocess({.preset = "half", .color = "gray"}, nullptr);
  EXPECT_EQ(half.value().mean, std::vector<float>{127.5f});
  EXPECT_EQ(half.value().color, "gray") << "a flag wins over the preset";
  EXPECT_TRUE(ResolvePreprocess({}, nullptr).value().mean == std::vector<float>{0});
  EXPECT_EQ(ResolvePreprocess({.preset = "torch"}, nullptr).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ResolvePreprocess({.mean = "1,x"}, nullptr).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ResolvePreprocess({.stddev = "0"}, nullptr).status().code(), Code::kInvalidArgument);
}

TEST(Preprocess, SurvivesTheMetadata) {
  std::map<std::string, std::string> metadata = {{"aq.preprocess.mean", JoinFloats({123.675f, 116.28f, 103.53f})},
                                                 {"aq.preprocess.std", JoinFloats({58.395f})},
                                                 {"aq.preprocess.color", "bgr"},
                                                 {"aq.preprocess.crop", "224"}};
  const auto lookup = [&](const char* key, std::string* value) {
    if (!metadata.contains(key)) return false;
    *value = metadata[key];
    return true;
  };
  const auto read = PreprocessFromMetadata(lookup);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().mean, (std::vector<float>{123.675f, 116.28f, 103.53f}));
  EXPECT_EQ(read.value().crop, 224);
  EXPECT_EQ(read.value().color, "bgr");
  for (const auto& [key, value] : {std::pair("aq.preprocess.crop", "-1"),
                                   {"aq.preprocess.crop", "99999999999999999999"},
                                   {"aq.preprocess.color", "cmyk"},
                                   {"aq.preprocess.std", "1,,2"}}) {
    const std::string before = std::exchange(metadata[key], value);
    EXPECT_EQ(PreprocessFromMetadata(lookup).status().code(), Code::kCorrupt) << key << " " << value;
    metadata[key] = before;
  }
}

TEST(CropOffset, RoundsHalvesDown) {
  const int expected[] = {0, 0, 1, 1, 2, 2, 3, 3};
  for (int difference = 0; difference < 8; ++difference)
    EXPECT_EQ(CropOffset(224 + difference, 224), expected[difference]);
  EXPECT_EQ(CropOffset(256, 224), 16);
}

TEST(ToInputCodes, CropsTheCentre) {
  std::vector<uint8_t> codes;
  ASSERT_TRUE(ToInputCodes(MakeImage(4, 6, 1), {.color = "rgb", .crop = 2}, {2, 2, 1}, &codes).ok());
  EXPECT_EQ(codes, (std::vector<uint8_t>{8, 9, 14, 15}));
}

TEST(ToInputCodes, OrdersChannels) {
  std::vector<uint8_t> codes;
  const Image pixel{1, 2, 3, {10, 20, 30, 40, 50, 60}};
  ASSERT_TRUE(ToInputCodes(pixel, {.color = "rgb"}, {1, 2, 3}, &codes).ok());
  EXPECT_EQ(codes, pixel.pixels);
  ASSERT_TRUE(ToInputCodes(pixel, {.color = "bgr"}, {1, 2, 3}, &codes).ok());
  EXPECT_EQ(codes, (std::vector<uint8_t>{30, 20, 10, 60, 50, 40}));
  ASSERT_TRUE(ToInputCodes(pixel, {.color = "gray"}, {1, 2, 1}, &codes).ok());
  EXPECT_EQ(codes, (std::vector<uint8_t>{18, 48}));  // .299 R + .587 G + .114 B = 18.2, 48.2
  ASSERT_TRUE(ToInputCodes({1, 2, 1, {7, 9}}, {.color = "rgb"}, {1, 2, 3}, &codes).ok());
  EXPECT_EQ(codes, (std::vector<uint8_t>{7, 7, 7, 9, 9, 9}));
}

TEST(ToInputCodes, FeaturesFeedVectorsUnchanged) {
  std::vector<uint8_t> codes;
  ASSERT_TRUE(ToInputCodes({1, 1, 3, {1, 2, 3}}, {.color = "bgr"}, {1, 1, 3}, &codes).ok());
  EXPECT_EQ(codes, (std::vector<uint8_t>{1, 2, 3}));
}

TEST(ToInputCodes, NamesBothSizesWhenTheyDiffer) {
  std::vector<uint8_t> codes;
  const Status size = ToInputCodes(MakeImage(5, 4, 3), {}, {8, 8, 3}, &codes);
  EXPECT_EQ(size.code(), Code::kInvalidArgument);
  EXPECT_NE(size.message().find("5x4x3"), std::string::npos) << size.message();
  EXPECT_NE(size.message().find("8x8x3"), std::string::npos) << size.message();
  EXPECT_FALSE(ToInputCodes(MakeImage(5, 4, 3), {.color = "rgb", .crop = 5}, {5, 5, 3}, &codes).ok());
  EXPECT_FALSE(ToInputCodes(MakeImage(8, 8, 3), {}, {8, 8, 1}, &codes).ok()) << "colour to gray must be asked for";
  EXPECT_FALSE(ToInputCodes(MakeImage(8, 8, 3), {}, {8, 8, 4}, &codes).ok());
}

TEST(Metrics, TiesGoToTheFirstClass) {
  const std::vector<int> scores = {3, 7, 7, 1};
  const std::span<const int> view(scores);
  EXPECT_EQ(Argmax(view), 1u);
  EXPECT_EQ(RankOf(view, 1), 0u);
  EXPECT_EQ(RankOf(view, 2), 1u);
  EXPECT_EQ(RankOf(view, 3), 3u);
}

TEST(Metrics, Fnv1aIsThePublishedHash) {
  const uint8_t a[] = {'a'};
  EXPECT_EQ(Fnv1a({}, kFnvBasis), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a(a, kFnvBasis), 0xaf63dc4c8601ec8cu);
}

TEST(NormalizeFlags, TreatsUnderscoresInNamesAsDashes) {
  const char* arguments[] = {"aq", "convert", "--calib_count=a_b", "--num_threads", "x_y", "-o", "--", "--a_b"};
  EXPECT_EQ(NormalizeFlags(8, const_cast<char**>(arguments)),
            (std::vector<std::string>{"convert", "--calib-count=a_b", "--num-threads", "x_y", "-o", "--", "--a_b"}));
}

TEST(ExitCodes, EveryCodeHasARow) {
  EXPECT_EQ(ExitCodeOf(Code::kOk), 0);
  EXPECT_EQ(ExitCodeOf(Code::kInternal), 1);
  EXPECT_EQ(ExitCodeOf(Code::kInvalidArgument), 2);
  EXPECT_EQ(ExitCodeOf(Code::kUnsupported), 3);
  for (const Code code : {Code::kIo, Code::kCorrupt, Code::kVersion, Code::kLimit, Code::kNotFound}) {
    EXPECT_EQ(ExitCodeOf(code), 4);
  }
  EXPECT_EQ(ExitCodeOf(Code::kQuality), 5);
  EXPECT_EQ(ExitCodeOf(Code::kCancelled), 130);
}

}  // namespace
}  // namespace aq::tools
