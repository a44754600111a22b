// SPDX-License-Identifier: Apache-2.0
#include "runtime/container.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "runtime/crc32c.h"
#include "runtime/sizes.h"

namespace aq {
namespace {

// Metadata scalars and vectors are read in place.
static_assert(std::endian::native == std::endian::little, "aq files are little-endian, and so must the machine be");

struct Header {
  char magic[4];
  uint32_t endian_mark;
  uint32_t version;
  uint32_t flags;
  uint64_t file_size;
  uint64_t metadata_offset;
  uint64_t metadata_size;
  uint32_t metadata_crc32c;
  uint32_t header_crc32c;
  uint8_t reserved[16];
};
static_assert(sizeof(Header) == kHeaderBytes);

constexpr char kMagic[4] = {'A', 'Q', 'M', '1'};
constexpr uint32_t kEndianMark = 0x01020304;

uint32_t HeaderCrc(Header header) {
  header.header_crc32c = 0;
  uint8_t bytes[kHeaderBytes];
  std::memcpy(bytes, &header, sizeof header);
  return Crc32c(bytes);
}

bool IsZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

size_t Align(size_t size) { return (size + kSegmentAlignment - 1) & ~(kSegmentAlignment - 1); }

unsigned long long Number(uint64_t value) { return value; }

}  // namespace

Result<Container> OpenContainer(std::span<const uint8_t> file, const Limits& limits) {
  if (file.size() > limits.max_file_bytes) {
    return Error(Code::kLimit, "file has %zu bytes, max_file_bytes is %llu", file.size(),
                 Number(limits.max_file_bytes));
  }
  if (file.size() < kHeaderBytes) {
    return Error(Code::kCorrupt, "file has %zu bytes, the header alone has %zu", file.size(), kHeaderBytes);
  }
  Header header;  // a copy: a mapped file may change under us
  std::memcpy(&header, file.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    return Error(Code::kCorrupt, "not an .aqm file: it starts with %02x %02x %02x %02x, expected \"AQM1\"", file[0],
                 file[1], file[2], file[3]);
  }
  if (header.endian_mark != kEndianMark) {
    return Error(Code::kCorrupt, "endian mark is %08x, expected %08x", header.endian_mark, kEndianMark);
  }
  if (header.version > kContainerVersion) {
    return Error(Code::kVersion, "file needs container version %u, this runtime reads up to %u", header.version,
                 kContainerVersion);
  }
  if (header.header_crc32c != HeaderCrc(header)) {
    return Error(Code::kCorrupt, "header checksum is %08x, computed %08x", header.header_crc32c, HeaderCrc(header));
  }
  if (header.version != kContainerVersion || header.flags != 0 || !IsZero(header.reserved)) {
    return Error(Code::kCorrupt, "header: version %u, flags %x, or reserved bytes not zero", header.version,
                 header.flags);
  }
  if (header.file_size != file.size()) {
    return Error(Code::kCorrupt, "file has %zu bytes, its header says %llu", file.size(), Number(header.file_size));
  }
  if (header.metadata_offset != kHeaderBytes) {
    return Error(Code::kCorrupt, "metadata at %llu, expected %zu", Number(header.metadata_offset), kHeaderBytes);
  }
  if (header.metadata_size > limits.max_metadata_bytes) {
    return Error(Code::kLimit, "metadata has %llu bytes, max_metadata_bytes is %llu", Number(header.metadata_size),
                 Number(limits.max_metadata_bytes));
  }
  if (header.metadata_size > file.size() - kHeaderBytes) {
    return Error(Code::kCorrupt, "metadata of %llu bytes passes the end of the file (%zu bytes)",
                 Number(header.metadata_size), file.size());
  }
  const size_t metadata_size = static_cast<size_t>(header.metadata_size);
  const size_t segments_begin = Align(kHeaderBytes + metadata_size);
  if (segments_begin > file.size()) {
    return Error(Code::kCorrupt, "file ends at %zu, before the padding of its metadata at %zu", file.size(),
                 segments_begin);
  }
  const Container container{file.subspan(kHeaderBytes, metadata_size), file.subspan(segments_begin)};
  const uint32_t crc = Crc32c(container.metadata);
  if (crc != header.metadata_crc32c) {
    return Error(Code::kCorrupt, "metadata checksum is %08x, computed %08x", header.metadata_crc32c, crc);
  }
  if (!IsZero(file.subspan(kHeaderBytes + metadata_size, segments_begin - kHeaderBytes - metadata_size))) {
    return Error(Code::kCorrupt, "padding after the metadata is not zero");
  }
  return container;
}

Status CheckSegments(const Container& container, const SegmentVector* segments, const Limits& limits) {
  const std::span<const uint8_t> area = container.segments;
  uint64_t end = 0;
  uint64_t weight_bytes = 0;
  const uint32_t count = segments ? segments->size() : 0;
  // The verifier aligns a vector's length (4 bytes), not its 8-byte elements.
  if (segments && reinterpret_cast<uintptr_t>(segments->Data()) % alignof(schema::Segment) != 0) {
    return Error(Code::kCorrupt, "segment records are not aligned to %zu bytes", alignof(schema::Segment));
  }
  for (uint32_t i = 0; i < count; ++i) {
    const schema::Segment& segment = *segments->Get(i);
    if (segment.offset() != end || segment.reserved() != 0 || segment.size() == 0) {
      return Error(Code::kCorrupt, "segment %u: offset %llu, size %llu, reserved %u; expected offset %llu, size > 0, 0",
                   i, Number(segment.offset()), Number(segment.size()), segment.reserved(), Number(end));
    }
    uint64_t padded = 0;
    if (segment.offset() > area.size() || segment.size() > area.size() - segment.offset() ||
        !CheckedAlign(segment.offset() + segment.size(), kSegmentAlignment, &padded) || padded > area.size()) {
      return Error(Code::kCorrupt,
                   "segment %u: offset %llu, size %llu pass the end of the file (%zu bytes of segments)", i,
                   Number(segment.offset()), Number(segment.size()), area.size());
    }
    const auto data = area.subspan(static_cast<size_t>(segment.offset()), static_cast<size_t>(segment.size()));
    const uint32_t crc = Crc32c(data);
    if (crc != segment.crc32c()) {
      return Error(Code::kCorrupt, "segment %u: checksum is %08x, computed %08x", i, segment.crc32c(), crc);
    }
    const size_t data_end = static_cast<size_t>(segment.offset() + segment.size());
    if (!IsZero(area.subspan(data_end, static_cast<size_t>(padded) - data_end))) {
      return Error(Code::kCorrupt, "segment %u: padding after it is not zero", i);
    }
    end = padded;
    weight_bytes += segment.size();
  }
  if (end != area.size()) {
    return Error(Code::kCorrupt, "segments end at %llu, the file has %zu bytes of them", Number(end), area.size());
  }
  if (weight_bytes > limits.max_weight_bytes) {
    return Error(Code::kLimit, "segments have %llu bytes, max_weight_bytes is %llu", Number(weight_bytes),
                 Number(limits.max_weight_bytes));
  }
  return {};
}

std::vector<schema::Segment> LayoutSegments(std::span<const std::vector<uint8_t>> segments) {
  std::vector<schema::Segment> layout;
  uint64_t offset = 0;
  for (const auto& segment : segments) {
    layout.emplace_back(offset, segment.size(), Crc32c(segment), 0u);
    offset += Align(segment.size());
  }
  return layout;
}

std::vector<uint8_t> AssembleFile(std::span<const uint8_t> metadata, std::span<const std::vector<uint8_t>> segments) {
  size_t size = Align(kHeaderBytes + metadata.size());
  for (const auto& segment : segments) size += Align(segment.size());
  std::vector<uint8_t> file(size);
  uint8_t* at = file.data() + kHeaderBytes;
  std::copy(metadata.begin(), metadata.end(), at);
  at += Align(metadata.size());  // the header is a multiple of the alignment
  for (const auto& segment : segments) {
    std::copy(segment.begin(), segment.end(), at);
    at += Align(segment.size());
  }
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.endian_mark = kEndianMark;
  header.version = kContainerVersion;
  header.file_size = file.size();
  header.metadata_offset = kHeaderBytes;
  header.metadata_size = metadata.size();
  header.metadata_crc32c = Crc32c(metadata);
  header.header_crc32c = HeaderCrc(header);
  std::memcpy(file.data(), &header, sizeof header);
  return file;
}

}  // namespace aq
