// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/test_files.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace aq::test {

TemporaryFolder::TemporaryFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "aq_test_XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TemporaryFolder::Write(const std::string& name, const Bytes& bytes) const {
  const std::string path = Path(name);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
  return path;
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& text) const {
  return Write(name, Bytes(text.begin(), text.end()));
}

Bytes ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

Bytes Pattern(size_t size, uint32_t seed) {
  Bytes bytes(size);
  for (uint8_t& byte : bytes) {
    seed = seed * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(seed >> 24);
  }
  return bytes;
}

std::string DataFolder(const std::string& source_folder) {
  const char* given = std::getenv("AQ_DATA");
  const std::string folder = given != nullptr ? given : source_folder + "/../shared/data";
  return std::filesystem::is_directory(folder) ? folder : "";
}

Bytes Npy(const std::string& descr, const std::string& shape, const Bytes& data) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  const std::string length = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  const std::string text = std::string("\x93NUMPY\x01\x00", 8) + length + header;
  Bytes bytes(text.begin(), text.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

Bytes TarMember(const std::string& name, const Bytes& data, char type) {
  Bytes member(512, 0);
  char* header = reinterpret_cast<char*>(member.data());
  std::snprintf(header, 100, "%s", name.c_str());
  std::snprintf(header + 100, 8, "0000644");
  std::snprintf(header + 124, 12, "%011zo", data.size());
  header[156] = type;
  std::memcpy(header + 257, "ustar\00000", 8);
  unsigned sum = 8 * ' ';
  for (const uint8_t byte : member) sum += byte;
  std::snprintf(header + 148, 8, "%06o", sum);
  header[155] = ' ';
  member.insert(member.end(), data.begin(), data.end());
  member.resize((member.size() + 511) / 512 * 512);
  return member;
}

}  // namespace aq::test
