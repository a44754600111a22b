// SPDX-License-Identifier: Apache-2.0
// The container of an .aqm file, byte by byte as in schema/FORMAT.md: header, metadata FlatBuffer, weight segments.
// Every byte is covered by a checksum or must be zero. The loader reads with OpenContainer and CheckSegments; the
// converter writes with LayoutSegments and AssembleFile. What the metadata means is model.h's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/limits.h"
#include "runtime/status.h"
#include "schema/model_generated.h"

namespace aq {

inline constexpr size_t kHeaderBytes = 64;
inline constexpr size_t kSegmentAlignment = 64;
inline constexpr uint32_t kContainerVersion = 1;

struct Container {
  std::span<const uint8_t> metadata;  // the FlatBuffer
  std::span<const uint8_t> segments;  // from the 64-aligned end of the metadata to the end of the file
};
using SegmentVector = flatbuffers::Vector<const schema::Segment*>;

// Header, sizes, metadata checksum and padding.
Result<Container> OpenContainer(std::span<const uint8_t> file, const Limits& limits);
// Positions (each segment starts at the 64-aligned end of the one before), checksums, padding, end of the file.
Status CheckSegments(const Container& container, const SegmentVector* segments, const Limits& limits);

// Writing, in this order: LayoutSegments gives the Segment structs of the metadata; build the FlatBuffer; AssembleFile.
std::vector<schema::Segment> LayoutSegments(std::span<const std::vector<uint8_t>> segments);
std::vector<uint8_t> AssembleFile(std::span<const uint8_t> metadata, std::span<const std::vector<uint8_t>> segments);

}  // namespace aq
