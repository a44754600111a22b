// SPDX-License-Identifier: Apache-2.0
// From a dataset's image to the network's uint8 input codes: centre crop, colour order, size check. mean and std are
// not applied here: the converter folds them into the first layer. Also the command-line flags and the metadata text of
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "runtime/status.h"
#include "tools/dataset.h"

namespace aq::tools {

using converter::Preprocess;

// What the user typed; empty or negative: not given.
struct PreprocessFlags {
  std::string preset = {}, mean = {}, stddev = {}, color = {};
  int crop = -1;
};
inline constexpr char kPresetNames[] = "imagenet, half, caffe, raw";

// Precedence: preset, then --mean --std --color --crop over it. With neither preset nor mean nor std: what the dataset
// knows (raw: scale and zero), else `raw`.
Result<Preprocess> ResolvePreprocess(const PreprocessFlags& flags, const Dataset* dataset);

// The value of one metadata key, false if absent.
using MetadataLookup = std::function<bool(const char* key, std::string* value)>;
// aq.preprocess.{mean,std,color,crop}: absent keys keep their defaults, malformed ones are kCorrupt.
Result<Preprocess> PreprocessFromMetadata(const MetadataLookup& lookup);
std::string JoinFloats(const std::vector<float>& values);  // "123.675,116.28,103.53", shortest exact

struct InputShape {
  int h = 0, w = 0, c = 0;
};

// First row or column of a centre crop: half the difference, rounded down (227 -> 224 begins at 1). Measured: it gives
// the published accuracies of the ImageNet networks exactly, torchvision's rounding of halves to even does not.
int CropOffset(int size, int crop);

// [h][w][c] codes for the network. kInvalidArgument naming both sizes if the image does not fit after the crop.
Status ToInputCodes(const Image& image, const Preprocess& preprocess, const InputShape& shape,
                    std::vector<uint8_t>* codes);

// A dataset as the converter sees it; the converter chooses the images. No dataset: no images.
class InputSource : public converter::ImageSource {
 public:
  InputSource(const Dataset* dataset, const Preprocess& preprocess, const InputShape& shape);
  size_t size() const override { return dataset_ ? dataset_->size() : 0; }
  Status Load(size_t i, std::vector<uint8_t>* pixels) const override;

 private:
  const Dataset* dataset_;
  Preprocess preprocess_;
  InputShape shape_;
};

}  // namespace aq::tools
