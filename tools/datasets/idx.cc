// SPDX-License-Identifier: Apache-2.0
// MNIST's idx format: bytes 0, 0, type (8 = unsigned byte), rank; big-endian dimensions; data. Plain or gzip.
#include "tools/datasets/readers.h"
#include "tools/datasets/records.h"
#include "tools/file.h"

namespace aq::tools {
namespace {

struct Idx {
  std::vector<size_t> shape;
  size_t first = 0;
  std::vector<uint8_t> bytes;
};

Result<Idx> ReadIdx(const std::string& path) {
  Idx idx;
  AQ_ASSIGN_OR_RETURN(idx.bytes, ReadMaybeGzip(path, kMaxDatasetFileBytes));
  const std::vector<uint8_t>& bytes = idx.bytes;
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8) {
    return Error(Code::kCorrupt, "%s: not an idx file of unsigned bytes", path.c_str());
  }
  const size_t rank = bytes[3];
  if (rank < 1 || rank > 4) return Error(Code::kCorrupt, "%s: rank %zu, 1 to 4 expected", path.c_str(), rank);
  idx.first = 4 + 4 * rank;
  if (bytes.size() < idx.first) return Error(Code::kCorrupt, "%s: header cut short", path.c_str());
  uint64_t elements = 1;
  for (size_t i = 0; i < rank; ++i) {
    const uint8_t* at = bytes.data() + 4 + 4 * i;
    const uint64_t dim = uint64_t{at[0]} << 24 | uint64_t{at[1]} << 16 | uint64_t{at[2]} << 8 | at[3];
    if (dim == 0 || elements > kMaxDatasetFileBytes / dim) {
      return Error(Code::kCorrupt, "%s: dimension %zu is %llu: nothing, or more than %llu bytes in all", path.c_str(),
                   i, static_cast<unsigned long long>(dim), static_cast<unsigned long long>(kMaxDatasetFileBytes));
    }
    elements *= dim;
    idx.shape.push_back(static_cast<size_t>(dim));
  }
  if (bytes.size() - idx.first != elements) {
    return Error(Code::kCorrupt, "%s: header promises %llu bytes of data, the file has %zu", path.c_str(),
                 static_cast<unsigned long long>(elements), bytes.size() - idx.first);
  }
  return idx;
}

}  // namespace

Result<std::unique_ptr<Dataset>> OpenIdx(const Arguments& arguments) {
  if (arguments.size() > 2) return Error(Code::kInvalidArgument, "idx: takes IMAGES[,LABELS]");
  AQ_ASSIGN_OR_RETURN(Idx images, ReadIdx(arguments[0]));
  const std::vector<size_t>& shape = images.shape;
  if (shape.size() < 3) {
    return Error(Code::kCorrupt, "%s: rank %zu, images have 3 or 4", arguments[0].c_str(), shape.size());
  }
  for (size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] > 65536) {
      return Error(Code::kLimit, "%s: dimension %zu is %zu, at most 65536", arguments[0].c_str(), i, shape[i]);
    }
  }
  Records records{.h = static_cast<int>(shape[1]),
                  .w = static_cast<int>(shape[2]),
                  .c = shape.size() == 4 ? static_cast<int>(shape[3]) : 1,
                  .count = shape[0],
                  .first = images.first,
                  .stride = (images.bytes.size() - images.first) / shape[0],
                  .bytes = std::move(images.bytes)};
  if (arguments.size() == 2) {
    AQ_ASSIGN_OR_RETURN(const Idx labels, ReadIdx(arguments[1]));
    if (labels.shape.size() != 1 || labels.shape[0] != records.count) {
      return Error(Code::kCorrupt, "%s: %zu labels of rank %zu for %zu images", arguments[1].c_str(), labels.shape[0],
                   labels.shape.size(), records.count);
    }
    records.labels.assign(labels.bytes.begin() + static_cast<std::ptrdiff_t>(labels.first), labels.bytes.end());
  }
  return std::unique_ptr<Dataset>(std::make_unique<RecordDataset>(std::move(records)));
}

}  // namespace aq::tools
