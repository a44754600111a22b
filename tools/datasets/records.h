// SPDX-License-Identifier: Apache-2.0
// A dataset whose samples are equal-sized records in memory: what cifar10, idx, npy and raw become once parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tools/dataset.h"

namespace aq::tools {

struct Records {
  int h = 0, w = 0, c = 0;
  size_t count = 0;
  size_t first = 0;        // byte offset of sample 0 in `bytes`
  size_t stride = 0;       // bytes from sample to sample, >= h * w * c
  bool is_planar = false;  // [c][h][w] in memory instead of [h][w][c]
  uint8_t flip = 0;        // XORed into every byte: 0x80 maps int8 q to the code q + 128
  std::vector<uint8_t> bytes = {};
  std::vector<int> labels = {};  // empty or `count`
  std::optional<converter::Preprocess> preprocess = {};
};

class RecordDataset : public Dataset {
 public:
  explicit RecordDataset(Records records) : records_(std::move(records)) {}
  size_t size() const override { return records_.count; }
  int label(size_t i) const override { return records_.labels.empty() ? -1 : records_.labels[i]; }
  Status Load(size_t i, Image* image) const override;
  std::optional<converter::Preprocess> preprocess() const override { return records_.preprocess; }

 private:
  Records records_;
};

}  // namespace aq::tools
