// SPDX-License-Identifier: Apache-2.0
// NumPy arrays (format 1.0 to 3.0, C order). X: uint8, or int8 stored as the code q + 128, of shape [n,h,w,c], [n,h,w]
// (c = 1) or [n,k] (1 x 1 x k). Y: [n] integers of 1, 2, 4 or 8 bytes, little endian.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "tools/datasets/readers.h"
#include "tools/datasets/records.h"
#include "tools/file.h"

namespace aq::tools {
namespace {

struct Npy {
  char kind = 0;    // 'u' or 'i'
  size_t item = 0;  // bytes per element
  std::vector<size_t> shape;
  size_t first = 0;
  std::vector<uint8_t> bytes;
};

// The text after "'key':" in the header, a Python dict literal.
std::string_view HeaderValue(std::string_view header, std::string_view key) {
  std::string quoted("'");
  quoted.append(key).append("'");
  const size_t at = header.find(quoted);
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + quoted.size());
  const size_t begin = header.find_first_not_of(" :");
  return begin == std::string_view::npos ? std::string_view() : header.substr(begin);
}

Result<Npy> ReadNpy(const std::string& path) {
  Npy npy;
  AQ_ASSIGN_OR_RETURN(npy.bytes, ReadWholeFile(path, kMaxDatasetFileBytes));
  const std::vector<uint8_t>& bytes = npy.bytes;
  if (bytes.size() < 12 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3) {
    return Error(Code::kCorrupt, "%s: not a .npy file of format 1 to 3", path.c_str());
  }
  const size_t length_bytes = bytes[6] == 1 ? 2 : 4;
  size_t header_bytes = 0;
  for (size_t i = 0; i < length_bytes; ++i) header_bytes |= size_t{bytes[8 + i]} << (8 * i);
  npy.first = 8 + length_bytes + header_bytes;
  if (npy.first > bytes.size()) {
    return Error(Code::kCorrupt, "%s: header of %zu bytes, the file has %zu", path.c_str(), header_bytes, bytes.size());
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + 8 + length_bytes, header_bytes);

  const std::string_view type = HeaderValue(header, "descr");
  if (type.size() < 5 || type[0] != '\'' || type[4] != '\'' || (type[1] != '|' && type[1] != '<') ||
      (type[2] != 'u' && type[2] != 'i') || std::string_view("1248").find(type[3]) == std::string_view::npos) {
    return Error(Code::kUnsupported, "%s: element type %.*s, integers (u1, i1 ... i8) expected", path.c_str(),
                 static_cast<int>(std::min<size_t>(type.size(), 8)), type.data());
  }
  npy.kind = type[2];
  npy.item = static_cast<size_t>(type[3] - '0');
  if (!HeaderValue(header, "fortran_order").starts_with("False")) {
    return Error(Code::kUnsupported, "%s: Fortran order, C order expected", path.c_str());
  }
  std::string_view shape = HeaderValue(header, "shape");
  const size_t close = shape.find(')');
  if (!shape.starts_with('(') || close == std::string_view::npos) {
    return Error(Code::kCorrupt, "%s: no shape in the header", path.c_str());
  }
  uint64_t size = npy.item;
  for (const std::string& text : Split(shape.substr(1, close - 1), ',')) {
    const size_t begin = text.find_first_not_of(' ');
    if (begin == std::string::npos) continue;  // the comma that ends "(5,)"
    const Result<int64_t> dim = ParseInt(std::string_view(text).substr(begin), path.c_str());
    if (!dim.ok() || dim.value() < 1 || size > kMaxDatasetFileBytes / static_cast<uint64_t>(dim.value())) {
      return Error(Code::kCorrupt, "%s: bad dimension '%s' in the shape", path.c_str(), text.substr(0, 32).c_str());
    }
    size *= static_cast<uint64_t>(dim.value());
    npy.shape.push_back(static_cast<size_t>(dim.value()));
  }
  if (bytes.size() - npy.first != size) {
    return Error(Code::kCorrupt, "%s: shape asks for %llu bytes of data, the file has %zu", path.c_str(),
                 static_cast<unsigned long long>(size), bytes.size() - npy.first);
  }
  return npy;
}

}  // namespace

Result<std::unique_ptr<Dataset>> OpenNpy(const Arguments& arguments) {
  if (arguments.size() > 2) return Error(Code::kInvalidArgument, "npy: takes X.npy[,Y.npy]");
  AQ_ASSIGN_OR_RETURN(Npy images, ReadNpy(arguments[0]));
  const std::vector<size_t>& shape = images.shape;
  if (images.item != 1) {
    return Error(Code::kUnsupported, "%s: %zu-byte elements, uint8 or int8 expected", arguments[0].c_str(),
                 images.item);
  }
  if (shape.size() < 2 || shape.size() > 4) {
    return Error(Code::kUnsupported, "%s: rank %zu, [n,h,w,c], [n,h,w] or [n,k] expected", arguments[0].c_str(),
                 shape.size());
  }
  for (size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] > 65536) {
      return Error(Code::kLimit, "%s: dimension %zu is %zu, at most 65536", arguments[0].c_str(), i, shape[i]);
    }
  }
  Records records{.h = shape.size() >= 3 ? static_cast<int>(shape[1]) : 1,
                  .w = shape.size() >= 3 ? static_cast<int>(shape[2]) : 1,
                  .c = shape.size() == 3 ? 1 : static_cast<int>(shape.back()),
                  .count = shape[0],
                  .first = images.first,
                  .stride = (images.bytes.size() - images.first) / shape[0],
                  .flip = static_cast<uint8_t>(images.kind == 'i' ? 0x80 : 0),
                  .bytes = std::move(images.bytes)};
  if (arguments.size() == 2) {
    AQ_ASSIGN_OR_RETURN(const Npy labels, ReadNpy(arguments[1]));
    if (labels.shape.size() != 1 || labels.shape[0] != records.count) {
      return Error(Code::kCorrupt, "%s: rank %zu with %zu labels for %zu images", arguments[1].c_str(),
                   labels.shape.size(), labels.shape.empty() ? 0 : labels.shape[0], records.count);
    }
    for (size_t i = 0; i < records.count; ++i) {
      uint64_t value = 0;
      for (size_t b = 0; b < labels.item; ++b)
        value |= uint64_t{labels.bytes[labels.first + i * labels.item + b]} << (8 * b);
      const bool is_negative = labels.kind == 'i' && labels.bytes[labels.first + (i + 1) * labels.item - 1] >= 0x80;
      if (is_negative || value > 1u << 30)
        return Error(Code::kCorrupt, "%s: label %zu out of range", arguments[1].c_str(), i);
      records.labels.push_back(static_cast<int>(value));
    }
  }
  return std::unique_ptr<Dataset>(std::make_unique<RecordDataset>(std::move(records)));
}

}  // namespace aq::tools
