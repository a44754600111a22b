// SPDX-License-Identifier: Apache-2.0
// What reconstruction has learned so far, in a file: written after each unit, read by a conversion that continues. The
// bytes are not trusted: every length is checked, a checksum covers the whole.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "runtime/status.h"

namespace aq::converter {

struct SavedParameter {
  bool is_trained = true;
  std::vector<float> values;
};
using SavedParameters = std::map<std::string, SavedParameter>;  // names: unit_network.h

struct Checkpoint {
  std::string fingerprint;        // fingerprint.h: of the conversion that may continue
  std::vector<UnitReport> units;  // those finished
  std::vector<int64_t> order;     // of the images, as the next batch finds it
  SavedParameters parameters;
};

std::vector<uint8_t> SerializeCheckpoint(const Checkpoint& checkpoint);
// kCorrupt, kVersion. Nothing is read beyond `bytes`, nothing larger than `bytes` allocated.
Result<Checkpoint> ParseCheckpoint(std::span<const uint8_t> bytes);

// kNotFound if there is no such file; kInvalidArgument if it is of another conversion; messages name the path.
Result<Checkpoint> ReadCheckpoint(const std::string& path, const std::string& fingerprint);

}  // namespace aq::converter
