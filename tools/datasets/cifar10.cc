// SPDX-License-Identifier: Apache-2.0
// CIFAR-10's official binary: records of one label byte and 3 x 32 x 32 bytes, the planes red, green, blue.
#include "tools/datasets/readers.h"
#include "tools/datasets/records.h"
#include "tools/file.h"

namespace aq::tools {

Result<std::unique_ptr<Dataset>> OpenCifar10(const Arguments& arguments) {
  constexpr size_t kRecordBytes = 1 + 3 * 32 * 32;
  Records records{.h = 32, .w = 32, .c = 3, .first = 1, .stride = kRecordBytes, .is_planar = true};
  for (const std::string& path : arguments) {
    AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(path, kMaxDatasetFileBytes));
    if (bytes.empty() || bytes.size() % kRecordBytes != 0) {
      return Error(Code::kCorrupt, "%s: %zu bytes is not a whole number of %zu-byte CIFAR-10 records", path.c_str(),
                   bytes.size(), kRecordBytes);
    }
    for (size_t begin = 0; begin < bytes.size(); begin += kRecordBytes) {
      if (bytes[begin] > 9) {
        return Error(Code::kCorrupt, "%s: record %zu has label %d, at most 9 expected", path.c_str(),
                     begin / kRecordBytes, bytes[begin]);
      }
      records.labels.push_back(bytes[begin]);
    }
    records.bytes.insert(records.bytes.end(), bytes.begin(), bytes.end());
  }
  records.count = records.labels.size();
  return std::unique_ptr<Dataset>(std::make_unique<RecordDataset>(std::move(records)));
}

}  // namespace aq::tools
