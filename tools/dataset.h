// SPDX-License-Identifier: Apache-2.0
// Labelled images from files, one at a time, as uint8. OpenDataset finds the reader of a SPEC ("cifar10:test.bin") in
// the table in dataset.cc; each reader is one file in datasets/. Colour order and crop are preprocess.h's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "runtime/status.h"

namespace aq::tools {

// [h][w][c] bytes; c = 3 means red, green, blue.
struct Image {
  int h = 0, w = 0, c = 0;
  std::vector<uint8_t> pixels;
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual size_t size() const = 0;
  virtual int label(size_t i) const = 0;  // -1: unknown
  // Safe from several threads at once.
  virtual Status Load(size_t i, Image* image) const = 0;
  // The meaning of the bytes where the SPEC says it (raw: scale and zero point); else what the user's flags say.
  virtual std::optional<converter::Preprocess> preprocess() const { return std::nullopt; }
};

// kInvalidArgument: the SPEC itself is wrong. kIo, kCorrupt, kLimit: the files are.
Result<std::unique_ptr<Dataset>> OpenDataset(const std::string& spec);
// One line per reader, for --help.
std::string DatasetHelp();

}  // namespace aq::tools
