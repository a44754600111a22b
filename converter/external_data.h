// SPDX-License-Identifier: Apache-2.0
// Opens and reads ONNX external data without leaving the model's folder: no absolute paths, no "..", no symbolic or
// hard links, regular files only (reliability.md V3). Called by onnx_tensor.cc.
#pragma once

#include <cstdint>
#include <string>

#include "platforms/memory.h"
#include "runtime/status.h"

namespace aq::converter {

// Reads `length` bytes at `offset` of `location`, relative to `folder`. kIo: missing or unreadable; kCorrupt: a path
// that leaves the folder, a link, a special file, or a range outside the file. `tensor` names the culprit.
Result<FileBytes> ReadExternalData(const std::string& folder, const std::string& location, uint64_t offset,
                                   uint64_t length, const std::string& tensor);

namespace internal {
// Descriptor, or -1 and errno. The two ways must refuse the same paths (tested).
int OpenBeneathKernel(int folder_fd, const std::string& location);         // openat2; ENOSYS when too old
int OpenBeneathComponentwise(int folder_fd, const std::string& location);  // openat(O_NOFOLLOW) step by step
}  // namespace internal

}  // namespace aq::converter
