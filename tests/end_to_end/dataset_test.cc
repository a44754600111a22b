// SPDX-License-Identifier: Apache-2.0
// Readers of files made of equal records: cifar10, idx, npy, raw. Right data come out right; every cut or lying file is
// a documented error whose message names the file.
#include "tools/dataset.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/end_to_end/test_files.h"

namespace aq::tools {
namespace {

using test::Bytes;
using test::Npy;
using test::Pattern;
using test::TemporaryFolder;

std::unique_ptr<Dataset> Open(const std::string& spec) {
  Result<std::unique_ptr<Dataset>> dataset = OpenDataset(spec);
  EXPECT_TRUE(dataset.ok()) << dataset.status().message();
  return dataset.ok() ? std::move(dataset).value() : nullptr;
}

void ExpectError(const std::string& spec, Code code, const std::string& part_of_message) {
  const Result<std::unique_ptr<Dataset>> dataset = OpenDataset(spec);
  ASSERT_FALSE(dataset.ok()) << spec;
  EXPECT_EQ(dataset.status().code(), code) << dataset.status().message();
  EXPECT_NE(dataset.status().message().find(part_of_message), std::string::npos) << dataset.status().message();
}

Bytes BigEndian(std::initializer_list<uint32_t> values) {
  Bytes bytes;
  for (const uint32_t value : values) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
  }
  return bytes;
}

Bytes Join(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes Gzip(const Bytes& bytes) {
  Bytes out(bytes.size() + 1000);
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

constexpr size_t kCifarRecord = 3073;

Bytes CifarFile(size_t records, uint32_t seed) {
  Bytes bytes = Pattern(records * kCifarRecord, seed);
  for (size_t i = 0; i < records; ++i) bytes[i * kCifarRecord] = static_cast<uint8_t>(i % 10);
  return bytes;
}

TEST(OpenDataset, NamesTheKindsWhenTheSpecIsUnknown) {
  ExpectError("mnist:x", Code::kInvalidArgument, "cifar10:FILE");
  ExpectError("no_colon", Code::kInvalidArgument, "cifar10:FILE");
  ExpectError("cifar10:", Code::kInvalidArgument, "empty argument");
  ExpectError("cifar10:/nowhere/x.bin", Code::kIo, "/nowhere/x.bin");
  ExpectError("cifar10:/tmp", Code::kIo, "not a regular file");
}

TEST(Cifar10, TurnsPlanesIntoPixels) {
  const TemporaryFolder folder;
  const Bytes file = CifarFile(3, 1);
  const auto data = Open("cifar10:" + folder.Write("a.bin", file));
  ASSERT_NE(data, nullptr);
  ASSERT_EQ(data->size(), 3u);
  Image image;
  ASSERT_TRUE(data->Load(2, &image).ok());
  EXPECT_EQ(data->label(2), 2);
  ASSERT_EQ(image.pixels.size(), 3072u);
  for (size_t pixel = 0; pixel < 1024; ++pixel) {
    for (size_t c = 0; c < 3; ++c) {
      ASSERT_EQ(image.pixels[pixel * 3 + c], file[2 * kCifarRecord + 1 + c * 1024 + pixel]) << pixel << " " << c;
    }
  }
  EXPECT_EQ(data->Load(3, &image).code(), Code::kInvalidArgument);
}

TEST(Cifar10, ReadsSeveralFilesInOrder) {
  const TemporaryFolder folder;
  const auto data =
      Open("cifar10:" + folder.Write("a.bin", CifarFile(2, 1)) + "," + folder.Write("b.bin", CifarFile(4, 2)));
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->size(), 6u);
  EXPECT_EQ(data->label(5), 3);
}

TEST(Cifar10, RefusesCutFilesAndWrongLabels) {
  const TemporaryFolder folder;
  Bytes file = CifarFile(2, 1);
  for (const size_t size : {size_t{0}, size_t{1}, kCifarRecord - 1, kCifarRecord + 1, 2 * kCifarRecord - 1}) {
    ExpectError(
        "cifar10:" + folder.Write("cut.bin", Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))),
        Code::kCorrupt, "cut.bin");
  }
  file[kCifarRecord] = 10;
  ExpectError("cifar10:" + folder.Write("label.bin", file), Code::kCorrupt, "label 10");
}

TEST(Idx, ReadsPlainAndGzip) {
  const TemporaryFolder folder;
  const Bytes pixels = Pattern(3 * 4 * 5, 7);
  const Bytes images = Join(BigEndian({0x00000803, 3, 4, 5}), pixels);
  const Bytes labels = Join(BigEndian({0x00000801, 3}), {9, 0, 4});
  folder.Write("i", images), folder.Write("l", labels);
  folder.Write("i.gz", Gzip(images)), folder.Write("l.gz", Gzip(labels));
  for (const std::string suffix : {"", ".gz"}) {
    const auto data = Open("idx:" + folder.Path("i" + suffix) + "," + folder.Path("l" + suffix));
    ASSERT_NE(data, nullptr);
    ASSERT_EQ(data->size(), 3u);
    Image image;
    ASSERT_TRUE(data->Load(1, &image).ok());
    EXPECT_EQ(image.h, 4);
    EXPECT_EQ(image.w, 5);
    EXPECT_EQ(image.c, 1);
    EXPECT_EQ(image.pixels, Bytes(pixels.begin() + 20, pixels.begin() + 40));
    EXPECT_EQ(data->label(0), 9);
  }
}

TEST(Idx, RefusesCutAndLyingFiles) {
  const TemporaryFolder folder;
  const Bytes images = Join(BigEndian({0x00000803, 3, 4, 5}), Pattern(60, 7));
  const Bytes gzip = Gzip(images);
  for (size_t size = 0; size < images.size(); ++size) {
    ExpectError("idx:" + folder.Write("cut", Bytes(images.begin(), images.begin() + static_cast<std::ptrdiff_t>(size))),
                Code::kCorrupt, "cut");
  }
  for (size_t size = 2; size < gzip.size(); ++size) {
    ExpectError("idx:" + folder.Write("cut.gz", Bytes(gzip.begin(), gzip.begin() + static_cast<std::ptrdiff_t>(size))),
                Code::kCorrupt, "cut.gz");
  }
  ExpectError("idx:" + folder.Write("huge", BigEndian({0x00000803, 0xffffffff, 0xffffffff, 0xffffffff})),
              Code::kCorrupt, "huge");
  ExpectError("idx:" + folder.Write("float", BigEndian({0x00000d03, 1, 1, 1, 0})), Code::kCorrupt, "unsigned bytes");
  ExpectError("idx:" + folder.Write("i", images) + "," + folder.Write("l", Join(BigEndian({0x00000801, 2}), {1, 2})),
              Code::kCorrupt, "2 labels");
}

TEST(Npy, ReadsTheThreeShapesAndMapsSignedCodes) {
  const TemporaryFolder folder;
  const Bytes pixels = Pattern(2 * 3 * 4 * 5, 9);
  const std::string labels =
      folder.Write("y.npy", Npy("<i8", "(2,)", {7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
  const auto data = Open("npy:" + folder.Write("x.npy", Npy("|u1", "(2, 3, 4, 5)", pixels)) + "," + labels);
  ASSERT_NE(data, nullptr);
  Image image;
  ASSERT_TRUE(data->Load(1, &image).ok());
  EXPECT_EQ(image.pixels, Bytes(pixels.begin() + 60, pixels.end()));
  EXPECT_EQ(image.c, 5);
  EXPECT_EQ(data->label(0), 7);
  EXPECT_EQ(data->label(1), 256);

  const auto gray = Open("npy:" + folder.Write("g.npy", Npy("|u1", "(2, 3, 4)", Pattern(24, 1))));
  ASSERT_TRUE(gray->Load(0, &image).ok());
  EXPECT_EQ(std::make_tuple(image.h, image.w, image.c), std::make_tuple(3, 4, 1));
  EXPECT_EQ(gray->label(0), -1);

  const auto features = Open("npy:" + folder.Write("k.npy", Npy("|i1", "(1, 3)", {0x80, 0x00, 0x7f})));
  ASSERT_TRUE(features->Load(0, &image).ok());
  EXPECT_EQ(std::make_tuple(image.h, image.w, image.c), std::make_tuple(1, 1, 3));
  EXPECT_EQ(image.pixels, (Bytes{0, 128, 255}));
}

TEST(Npy, RefusesEveryCutAndOtherTypes) {
  const TemporaryFolder folder;
  const Bytes file = Npy("|u1", "(2, 3, 4)", Pattern(24, 1));
  for (size_t size = 0; size < file.size(); ++size) {
    const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(OpenDataset("npy:" + folder.Write("cut.npy", cut)).ok()) << size;
  }
  // Any single byte changed: an error or a dataset whose samples load, never a crash.
  for (size_t at = 0; at < file.size(); ++at) {
    Bytes changed = file;
    changed[at] ^= 0x41;
    const Result<std::unique_ptr<Dataset>> data = OpenDataset("npy:" + folder.Write("changed.npy", changed));
    Image image;
    if (data.ok()) {
      EXPECT_TRUE(data.value()->Load(data.value()->size() - 1, &image).ok()) << at;
    }
  }
  ExpectError("npy:" + folder.Write("f.npy", Npy("<f4", "(1, 2)", Pattern(8, 1))), Code::kUnsupported, "<f4");
  ExpectError("npy:" + folder.Write("o.npy", Npy("|u1", "(9223372036854775807, 9223372036854775807)", {})),
              Code::kCorrupt, "dimension");
  ExpectError("npy:" + folder.Write("x.npy", file) + "," + folder.Write("n.npy", Npy("|i1", "(2,)", {0, 0xff})),
              Code::kCorrupt, "label 1");
}

TEST(Raw, MapsSignedCodesAndGivesTheirMeaning) {
  const TemporaryFolder folder;
  const std::string spec = "raw:" + folder.Write("x", Bytes{0x80, 0xff, 0x00, 0x7f}) + "," +
                           folder.Write("y", Bytes{3, 11}) + ",type=i8,shape=2x1x1,scale=0.5,zero=83";
  const auto data = Open(spec);
  ASSERT_NE(data, nullptr);
  ASSERT_EQ(data->size(), 2u);
  Image image;
  ASSERT_TRUE(data->Load(0, &image).ok());
  EXPECT_EQ(image.pixels, (Bytes{0, 127}));
  EXPECT_EQ(data->label(1), 11);
  // code 127 is q = -1: (-1 - 83) * 0.5 = (127 - mean) / std
  ASSERT_TRUE(data->preprocess().has_value());
  EXPECT_EQ(data->preprocess()->mean, std::vector<float>{211});
  EXPECT_EQ(data->preprocess()->stddev, std::vector<float>{2});
}

TEST(Raw, RefusesBadSpecsAndSizes) {
  const TemporaryFolder folder;
  const std::string x = "raw:" + folder.Write("x", Bytes{1, 2, 3});
  ExpectError(x + ",shape=2", Code::kCorrupt, "2-byte samples");
  ExpectError(x + "," + folder.Write("y", Bytes{1, 2}) + ",shape=3", Code::kCorrupt, "2 labels for 1");
  ExpectError(x, Code::kInvalidArgument, "shape");
  for (const char* bad : {"shape=0", "shape=-3", "shape=3x", "shape=65537", "shape=1x1x1x3", "shape=3,type=f32",
                          "shape=3,scale=0", "shape=3,scale=nan", "shape=3,zero=a", "shape=3,colour=1"}) {
    EXPECT_EQ(OpenDataset(x + "," + bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace aq::tools
