// SPDX-License-Identifier: Apache-2.0
// Layout, little-endian: "AQCP", version, fingerprint, units, order, parameters, CRC-32C of all before. A string or an
// array is its length as 64 bits, then its bytes.
#include "converter/checkpoint.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/crc32c.h"

namespace aq::converter {
namespace {

constexpr char kMagic[4] = {'A', 'Q', 'C', 'P'};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kMaxFileBytes = uint64_t{4} << 30;

class Writer {
 public:
  template <class T>
  void Put(T value) {
    Append(&value, sizeof value);
  }
  template <class T>
  void PutArray(const T& values) {
    Put(uint64_t{values.size()});
    Append(values.data(), values.size() * sizeof(values[0]));
  }
  std::vector<uint8_t> bytes;

  void Append(const void* data, size_t size) {
    const uint8_t* begin = static_cast<const uint8_t*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  }
};

// After a failure everything read is zero or empty.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  template <class T>
  T Get() {
    T value{};
    Take(&value, sizeof value);
    return value;
  }
  template <class T>
  T GetArray() {
    T values;
    const uint64_t size = Get<uint64_t>();
    if (size > rest_.size() / sizeof(values[0])) {
      is_ok_ = false;
      return values;
    }
    values.resize(size);
    Take(values.data(), size * sizeof(values[0]));
    return values;
  }
  // The count of things of at least one byte each that follow.
  uint64_t GetCount() {
    const uint64_t count = Get<uint64_t>();
    if (count > rest_.size()) is_ok_ = false;
    return is_ok_ ? count : 0;
  }
  bool is_ok() const { return is_ok_; }
  bool is_at_end() const { return rest_.empty(); }

 private:
  void Take(void* out, size_t size) {
    if (!is_ok_ || size > rest_.size()) {
      is_ok_ = false;
      return;
    }
    if (size > 0) std::memcpy(out, rest_.data(), size);
    rest_ = rest_.subspan(size);
  }
  std::span<const uint8_t> rest_;
  bool is_ok_ = true;
};

Status Damaged(const char* what) { return Error(Code::kCorrupt, "the checkpoint is damaged: %s", what); }

}  // namespace

std::vector<uint8_t> SerializeCheckpoint(const Checkpoint& checkpoint) {
  Writer out;
  out.Append(kMagic, sizeof kMagic);
  out.Put(kVersion);
  out.PutArray(checkpoint.fingerprint);
  out.Put(uint64_t{checkpoint.units.size()});
  for (const UnitReport& unit : checkpoint.units) {
    out.PutArray(unit.first);
    out.PutArray(unit.last);
    out.Put(uint8_t{unit.is_trained});
    for (const double number : {unit.loss_before, unit.loss_after, unit.seconds}) out.Put(number);
  }
  out.PutArray(checkpoint.order);
  out.Put(uint64_t{checkpoint.parameters.size()});
  for (const auto& [name, parameter] : checkpoint.parameters) {
    out.PutArray(name);
    out.Put(uint8_t{parameter.is_trained});
    out.PutArray(parameter.values);
  }
  out.Put(Crc32c(out.bytes));
  return std::move(out.bytes);
}

Result<Checkpoint> ParseCheckpoint(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof kMagic + 2 * sizeof(uint32_t) || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0)
    return Error(Code::kCorrupt, "not a checkpoint of aq");
  const std::span<const uint8_t> body = bytes.first(bytes.size() - sizeof(uint32_t));
  uint32_t version = 0, checksum = 0;
  std::memcpy(&version, bytes.data() + sizeof kMagic, sizeof version);
  std::memcpy(&checksum, bytes.data() + body.size(), sizeof checksum);
  if (version != kVersion)
    return Error(Code::kVersion, "checkpoint version %u, this program reads %u", version, kVersion);
  if (checksum != Crc32c(body)) return Damaged("wrong checksum");
  Reader in(body.subspan(sizeof kMagic + sizeof version));
  Checkpoint checkpoint;
  checkpoint.fingerprint = in.GetArray<std::string>();
  const uint64_t units = in.GetCount();
  for (uint64_t i = 0; i < units && in.is_ok(); ++i) {
    UnitReport unit;
    unit.first = in.GetArray<std::string>();
    unit.last = in.GetArray<std::string>();
    unit.is_trained = in.Get<uint8_t>() != 0;
    for (double* number : {&unit.loss_before, &unit.loss_after, &unit.seconds}) *number = in.Get<double>();
    checkpoint.units.push_back(std::move(unit));
  }
  checkpoint.order = in.GetArray<std::vector<int64_t>>();
  const uint64_t parameters = in.GetCount();
  for (uint64_t i = 0; i < parameters && in.is_ok(); ++i) {
    const std::string name = in.GetArray<std::string>();
    SavedParameter& parameter = checkpoint.parameters[name];
    parameter.is_trained = in.Get<uint8_t>() != 0;
    parameter.values = in.GetArray<std::vector<float>>();
    for (const float value : parameter.values)
      if (!std::isfinite(value)) return Damaged("a parameter is not finite");
  }
  if (!in.is_ok() || !in.is_at_end()) return Damaged("a length does not fit the file");
  return checkpoint;
}

Result<Checkpoint> ReadCheckpoint(const std::string& path, const std::string& fingerprint) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return Error(Code::kNotFound, "%s: no such file", path.c_str());
  if (!std::filesystem::is_regular_file(path, error)) return Error(Code::kIo, "%s: not a regular file", path.c_str());
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) return Error(Code::kIo, "%s: %s", path.c_str(), error.message().c_str());
  if (size > kMaxFileBytes)
    return Error(Code::kLimit, "%s: %llu bytes, a checkpoint has at most %llu", path.c_str(),
                 static_cast<unsigned long long>(size), static_cast<unsigned long long>(kMaxFileBytes));
  std::vector<uint8_t> bytes(size);
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size)))
    return Error(Code::kIo, "%s: cannot be read", path.c_str());
  auto checkpoint = ParseCheckpoint(bytes);
  if (!checkpoint.ok())
    return Error(checkpoint.status().code(), "%s: %s; delete it to start again", path.c_str(),
                 checkpoint.status().message().c_str());
  if (checkpoint->fingerprint != fingerprint)
    return Error(Code::kInvalidArgument,
                 "%s: belongs to another conversion (other network, images, options, threads or version of aq): "
                 "delete it, or convert without --resume",
                 path.c_str());
  return checkpoint;
}

}  // namespace aq::converter
