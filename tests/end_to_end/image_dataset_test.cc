// SPDX-License-Identifier: Apache-2.0
// The images reader: JPEG and PNG from a folder and from a tar give the same pixels; bombs, cuts and lying archives are
// documented errors.
#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/end_to_end/test_files.h"
#include "tools/dataset.h"
#include "tools/image_decoder.h"
#include "tools/tar.h"

namespace aq::tools {
namespace {

using test::Bytes;
using test::TarMember;
using test::TemporaryFolder;

Bytes Part(const Bytes& bytes, size_t size) {
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

Bytes Gradient(int w, int h, int c) {
  Bytes pixels;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      for (int i = 0; i < c; ++i) pixels.push_back(static_cast<uint8_t>(x * 5 + y * 3 + i * 40));
    }
  }
  return pixels;
}

Bytes EncodeJpeg(int w, int h, int c, int progressive_scans) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = static_cast<JDIMENSION>(w);
  jpeg.image_height = static_cast<JDIMENSION>(h);
  jpeg.input_components = c;
  jpeg.in_color_space = c == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  // DC first, then every AC coefficient on its own and its refinements: as many scans as asked for.
  std::vector<jpeg_scan_info> scans;
  if (progressive_scans > 0) {
    jpeg_scan_info dc{};
    dc.comps_in_scan = c;
    for (int i = 0; i < c; ++i) dc.component_index[i] = i;
    scans.push_back(dc);
    for (int component = 0; component < c; ++component) {
      for (int k = 1; k < 64 && static_cast<int>(scans.size()) < progressive_scans; ++k) {
        scans.push_back({.comps_in_scan = 1, .component_index = {component}, .Ss = k, .Se = k, .Ah = 0, .Al = 0});
      }
    }
    jpeg.scan_info = scans.data();
    jpeg.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&jpeg, TRUE);
  Bytes pixels = Gradient(w, h, c);
  for (int y = 0; y < h; ++y) {
    JSAMPROW row = pixels.data() + y * w * c;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  Bytes bytes(memory, memory + size);
  std::free(memory);
  return bytes;
}

Bytes EncodePng(int w, int h, int c) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(w);
  png.height = static_cast<png_uint_32>(h);
  png.format = c == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  const Bytes pixels = Gradient(w, h, c);
  png_alloc_size_t size = 1 << 20;
  Bytes bytes(size);
  EXPECT_TRUE(png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, nullptr));
  bytes.resize(size);
  return bytes;
}

Bytes Archive(std::initializer_list<Bytes> members) {
  Bytes tar;
  for (const Bytes& member : members) tar.insert(tar.end(), member.begin(), member.end());
  tar.resize(tar.size() + 1024);
  return tar;
}

TEST(DecodeImage, PngIsLossless) {
  for (const int c : {1, 3}) {
    Image image;
    ASSERT_TRUE(DecodeImage(EncodePng(7, 5, c), "x.png", &image).ok());
    EXPECT_EQ(std::make_tuple(image.w, image.h, image.c), std::make_tuple(7, 5, c));
    EXPECT_EQ(image.pixels, Gradient(7, 5, c));
  }
}

TEST(DecodeImage, JpegIsClose) {
  for (const int c : {1, 3}) {
    Image image;
    ASSERT_TRUE(DecodeImage(EncodeJpeg(16, 8, c, 0), "x.jpg", &image).ok());
    ASSERT_EQ(std::make_tuple(image.w, image.h, image.c), std::make_tuple(16, 8, c));
    const Bytes expected = Gradient(16, 8, c);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(image.pixels[i], expected[i], 12) << i;
  }
}

TEST(DecodeImage, EveryCutIsCorruptUnlessAllPixelsAreThere) {
  for (const Bytes& file : {EncodeJpeg(16, 16, 3, 0), EncodePng(9, 9, 3), EncodeJpeg(16, 16, 3, 20)}) {
    Image whole;
    ASSERT_TRUE(DecodeImage(file, "whole", &whole).ok());
    for (size_t size = 8; size < file.size(); ++size) {
      Image image;
      const Status status = DecodeImage(Part(file, size), "cut", &image);
      if (status.ok()) {  // PNG's last chunk is an empty end mark of 12 bytes
        EXPECT_GE(size, file.size() - 12);
        EXPECT_EQ(image.pixels, whole.pixels) << size << " of " << file.size();
      } else {
        EXPECT_EQ(status.code(), Code::kCorrupt) << size << " of " << file.size() << " " << status.message();
      }
    }
  }
  Image image;
  EXPECT_EQ(DecodeImage({}, "empty", &image).code(), Code::kUnsupported);
  EXPECT_EQ(DecodeImage({'G', 'I', 'F', '8', '9', 'a'}, "x.gif", &image).code(), Code::kUnsupported);
}

TEST(DecodeImage, EveryChangedByteIsAnErrorOrAPicture) {
  for (const Bytes& file : {EncodeJpeg(16, 16, 3, 0), EncodePng(9, 9, 3)}) {
    for (size_t at = 0; at < file.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        Bytes changed = file;
        changed[at] = static_cast<uint8_t>(changed[at] ^ flip);
        Image image;
        const Status status = DecodeImage(changed, "changed", &image);
        if (status.ok()) {
          EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.h) * static_cast<size_t>(image.w * image.c));
        }
      }
    }
  }
}

TEST(DecodeImage, RefusesBombsByTheirHeader) {
  // A PNG header that promises 60000 x 60000: width at byte 16, height at 20, then the checksum of the header.
  Bytes png = EncodePng(8, 8, 3);
  for (const size_t at : {size_t{16}, size_t{20}}) png[at + 2] = 0xea, png[at + 3] = 0x60;
  uLong crc = crc32(0, png.data() + 12, 17);
  for (size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
  Image image;
  const Status status = DecodeImage(png, "bomb.png", &image);
  EXPECT_EQ(status.code(), Code::kLimit) << status.message();
  EXPECT_NE(status.message().find("60000 x 60000"), std::string::npos) << status.message();

  Bytes jpeg = EncodeJpeg(16, 16, 3, 0);
  for (size_t i = 2; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0) {  // start of frame: height at +5, width at +7
      jpeg[i + 5] = jpeg[i + 6] = jpeg[i + 7] = jpeg[i + 8] = 0xf0;
      break;
    }
  }
  EXPECT_EQ(DecodeImage(jpeg, "bomb.jpg", &image).code(), Code::kLimit);
}

TEST(DecodeImage, LimitsProgressiveScans) {
  Image image;
  EXPECT_TRUE(DecodeImage(EncodeJpeg(16, 16, 3, 100), "many.jpg", &image).ok());
  const Status status = DecodeImage(EncodeJpeg(16, 16, 3, 150), "bomb.jpg", &image);
  EXPECT_EQ(status.code(), Code::kLimit) << status.message();
}

TEST(Images, FolderAndTarGiveTheSame) {
  const TemporaryFolder folder;
  const Bytes png = EncodePng(7, 5, 3), jpeg = EncodeJpeg(16, 8, 3, 0);
  folder.Write("a.png", png);
  folder.Write("b.JPEG", jpeg);
  const std::string csv = folder.Write("l.csv", std::string("label,file\r\n12,b.JPEG\r\n3,a.png\r\n"));
  // A pax header renames the second member; a GNU long name would be the same with type 'L'.
  const std::string pax = "25 path=deep/below/a.png\n";
  ASSERT_EQ(pax.size(), 25u);
  const std::string tar = folder.Write(
      "x.tar", Archive({TarMember("deep/", {}, '5'), TarMember("deep/b.JPEG", jpeg, '0'),
                        TarMember("pax", Bytes(pax.begin(), pax.end()), 'x'), TarMember("short", png, '0')}));
  for (const std::string& source : {folder.Path("."), tar}) {
    const Result<std::unique_ptr<Dataset>> data = OpenDataset("images:" + source + "," + csv);
    ASSERT_TRUE(data.ok()) << data.status().message();
    ASSERT_EQ(data.value()->size(), 2u);
    EXPECT_EQ(data.value()->label(0), 12);
    EXPECT_EQ(data.value()->label(1), 3);
    Image first, second;
    ASSERT_TRUE(data.value()->Load(0, &first).ok());
    ASSERT_TRUE(data.value()->Load(1, &second).ok());
    EXPECT_EQ(first.w, 16);
    EXPECT_EQ(second.pixels, Gradient(7, 5, 3));
    const Result<std::unique_ptr<Dataset>> unlabelled = OpenDataset("images:" + source);
    ASSERT_TRUE(unlabelled.ok()) << unlabelled.status().message();
    EXPECT_EQ(unlabelled.value()->size(), 2u);
    EXPECT_EQ(unlabelled.value()->label(0), -1);
  }
}

TEST(Images, RefusesBadTables) {
  const TemporaryFolder folder;
  folder.Write("a.png", EncodePng(7, 5, 3));
  const std::string tar =
      folder.Write("x.tar", Archive({TarMember("p/a.png", {1}, '0'), TarMember("q/a.png", {2}, '0')}));
  const auto code = [&](const std::string& source, const std::string& text) {
    return OpenDataset("images:" + source + "," + folder.Write("l.csv", text)).status().code();
  };
  EXPECT_EQ(code(tar, "file,label\na.png,1\n"), Code::kCorrupt) << "ambiguous name";
  EXPECT_EQ(code(tar, "file,label\np/a.png,1\n"), Code::kOk);
  EXPECT_EQ(code(tar, "file,label\nmissing.png,1\n"), Code::kCorrupt);
  for (const char* text :
       {"", "file\na.png\n", "file,label\na.png\n", "file,label\na.png,x\n", "file,label\na.png,-1\n",
        "file,label\n../a.png,1\n", "file,label\n/etc/passwd,1\n", "file,label\n"}) {
    EXPECT_EQ(code(folder.Path("."), text), Code::kCorrupt) << text;
  }
  EXPECT_EQ(OpenDataset("images:/nowhere").status().code(), Code::kIo);
}

TEST(Tar, EveryCutAndChangedHeaderIsCorruptOrConsistent) {
  const TemporaryFolder folder;
  const Bytes tar = Archive({TarMember("a.png", Bytes(600, 1), '0'), TarMember("b.png", Bytes(10, 2), '0')});
  const auto read = [&](const Bytes& bytes) {
    const Result<File> file = File::Open(folder.Write("x.tar", bytes));
    EXPECT_TRUE(file.ok());
    return ReadTarIndex(file.value());
  };
  const auto whole = read(tar);
  ASSERT_TRUE(whole.ok());
  ASSERT_EQ(whole.value().size(), 2u);
  EXPECT_EQ(whole.value()[1].offset, 512u + 1024 + 512);
  for (size_t size = 0; size < 2560; size += 37) {  // the members end at 2560, zeros follow
    const auto cut = read(Part(tar, size));
    if (size != 1536) {  // a cut between members cannot be seen
      EXPECT_EQ(cut.status().code(), Code::kCorrupt) << size;
    }
  }
  for (size_t at = 0; at < 512; ++at) {
    Bytes changed = tar;
    changed[at] ^= 0x10;
    const auto result = read(changed);
    // The checksum covers the whole header; its own field may be written in several ways.
    if (at < 148 || at > 155) {
      EXPECT_EQ(result.status().code(), Code::kCorrupt) << at;
    }
  }
}

}  // namespace
}  // namespace aq::tools
