// SPDX-License-Identifier: Apache-2.0
// Implements tar.h from the ustar layout: 512-byte headers, octal numbers, data padded to 512.
#include "tools/tar.h"

#include <cstring>
#include <optional>

namespace aq::tools {
namespace {

constexpr uint64_t kBlock = 512;
constexpr uint64_t kMaxExtendedBytes = 1 << 20;  // of one pax or long-name record
constexpr size_t kMaxMembers = 10'000'000;
constexpr uint64_t kNotGiven = UINT64_MAX;

// Octal digits up to a space or NUL; or base 256 where the top bit is set (GNU, sizes over 8 GiB).
std::optional<uint64_t> ParseTarNumber(const uint8_t* field, size_t size) {
  uint64_t value = 0;
  if (field[0] & 0x80) {
    for (size_t i = 1; i < size; ++i) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | field[i];
    }
    return value;
  }
  size_t i = 0;
  while (i < size && field[i] == ' ') ++i;
  for (; i < size && field[i] != ' ' && field[i] != 0; ++i) {
    if (field[i] < '0' || field[i] > '7' || value >> 60 != 0) return std::nullopt;
    value = value << 3 | static_cast<uint64_t>(field[i] - '0');
  }
  return value;
}

std::string FieldText(const uint8_t* field, size_t size) {
  const char* text = reinterpret_cast<const char*>(field);
  return std::string(text, strnlen(text, size));
}

// Records "<length> <key>=<value>\n" of a pax header; keeps path and size.
bool ParsePax(std::string_view text, std::optional<std::string>* path, uint64_t* size) {
  while (!text.empty()) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos) return false;
    const Result<int64_t> length = ParseInt(text.substr(0, space), "pax");
    if (!length.ok() || length.value() < static_cast<int64_t>(space) + 2 ||
        length.value() > static_cast<int64_t>(text.size())) {
      return false;
    }
    const std::string_view record = text.substr(space + 1, static_cast<size_t>(length.value()) - space - 2);
    text.remove_prefix(static_cast<size_t>(length.value()));
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = record.substr(0, equals);
    const std::string_view value = record.substr(equals + 1);
    if (key == "path") *path = std::string(value);
    if (key == "size") {
      const Result<int64_t> parsed = ParseInt(value, "pax size");
      if (!parsed.ok() || parsed.value() < 0) return false;
      *size = static_cast<uint64_t>(parsed.value());
    }
  }
  return true;
}

}  // namespace

Result<std::vector<TarMember>> ReadTarIndex(const File& file) {
  std::vector<TarMember> members;
  std::optional<std::string> next_path;
  uint64_t next_size = kNotGiven;  // of the next member, from a pax header
  uint64_t offset = 0;
  while (offset + kBlock <= file.size()) {
    uint8_t header[kBlock];
    AQ_RETURN_IF_ERROR(file.ReadAt(offset, kBlock, header));
    const auto bad = [&](const char* what) {
      return Error(Code::kCorrupt, "%s: tar header at byte %llu: %s", file.path().c_str(),
                   static_cast<unsigned long long>(offset), what);
    };
    uint64_t sum = 0;
    for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : header[i];
    if (sum == 8 * ' ') return members;  // a block of zeros ends the archive
    if (ParseTarNumber(header + 148, 8) != sum) return bad("wrong checksum");
    const std::optional<uint64_t> header_size = ParseTarNumber(header + 124, 12);
    if (!header_size) return bad("size is not a number");
    const char type = static_cast<char>(header[156]);
    const bool is_extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    const uint64_t size = is_extension || next_size == kNotGiven ? *header_size : next_size;
    const uint64_t begin = offset + kBlock;
    if (size > file.size() - begin) {
      return Error(Code::kCorrupt, "%s: tar member at byte %llu has %llu bytes, %llu are left in the file",
                   file.path().c_str(), static_cast<unsigned long long>(offset), static_cast<unsigned long long>(size),
                   static_cast<unsigned long long>(file.size() - begin));
    }
    if (is_extension) {
      if (size > kMaxExtendedBytes) return bad("extended header over 1 MiB");
      std::string text(static_cast<size_t>(size), 0);
      AQ_RETURN_IF_ERROR(file.ReadAt(begin, size, reinterpret_cast<uint8_t*>(text.data())));
      if (type == 'x' && !ParsePax(text, &next_path, &next_size)) return bad("malformed pax records");
      if (type == 'L') next_path = text.substr(0, text.find('\0'));
    } else {
      std::string name = FieldText(header, 100);
      const bool has_prefix = std::memcmp(header + 257, "ustar", 6) == 0 && header[345] != 0;  // 6: not GNU's "ustar "
      if (has_prefix) name = FieldText(header + 345, 155) + "/" + name;
      if (next_path) name = *next_path;
      next_path.reset();
      next_size = kNotGiven;
      if (type == '0' || type == 0) members.push_back({std::move(name), begin, size});
      if (members.size() > kMaxMembers) return bad("too many members");
    }
    offset = begin + (size + kBlock - 1) / kBlock * kBlock;
  }
  if (offset != file.size() || members.empty()) {
    return Error(Code::kCorrupt, "%s: tar cut short: %llu bytes, a header was expected at %llu", file.path().c_str(),
                 static_cast<unsigned long long>(file.size()), static_cast<unsigned long long>(offset));
  }
  return members;
}

}  // namespace aq::tools
