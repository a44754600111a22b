// SPDX-License-Identifier: Apache-2.0
// Small files for tests, in a folder of the test's own that goes away with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace aq::test {

using Bytes = std::vector<uint8_t>;

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, const Bytes& bytes) const;  // gives the path
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

Bytes ReadBytes(const std::string& path);
Bytes Pattern(size_t size, uint32_t seed);  // deterministic bytes
// Folder of the development data (AQ_DATA, else beside the source tree); empty if there is none.
std::string DataFolder(const std::string& source_folder);

// A .npy file, format 1.0.
Bytes Npy(const std::string& descr, const std::string& shape, const Bytes& data);
// A ustar header and padded data; `type` '0' is a file.
Bytes TarMember(const std::string& name, const Bytes& data, char type);

}  // namespace aq::test
