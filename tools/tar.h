// SPDX-License-Identifier: Apache-2.0
// Index of a plain tar file (ustar, pax and GNU long names): where each regular file's bytes are. Read once; members
// are then read in place with File::ReadAt, nothing is ever extracted. Links, devices and folders are left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "tools/file.h"

namespace aq::tools {

struct TarMember {
  std::string name;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// kCorrupt if a header's checksum is wrong or a member reaches past the end of the file.
Result<std::vector<TarMember>> ReadTarIndex(const File& file);

}  // namespace aq::tools
