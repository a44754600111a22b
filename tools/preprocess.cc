// SPDX-License-Identifier: Apache-2.0
// Implements preprocess.h.
#include "tools/preprocess.h"

#include <algorithm>
#include <charconv>

#include "tools/file.h"

namespace aq::tools {
namespace {

struct Preset {
  const char* name;
  const char* mean;
  const char* stddev;
  const char* color;
};
constexpr Preset kPresets[] = {
    {"imagenet", "123.675,116.28,103.53", "58.395,57.12,57.375", "rgb"},
    {"half", "127.5", "127.5", "rgb"},
    {"caffe", "104,117,123", "1", "bgr"},
    {"raw", "0", "1", "rgb"},
};

Result<std::vector<float>> ParseFloats(const std::string& text, const char* what) {
  std::vector<float> values;
  for (const std::string& part : Split(text, ',')) {
    AQ_ASSIGN_OR_RETURN(const float value, ParseFloat(part, what));
    values.push_back(value);
  }
  return values;
}

Status Check(const Preprocess& preprocess) {
  for (const float value : preprocess.stddev) {
    if (!(value > 0)) return Error(Code::kInvalidArgument, "std %g: more than 0 expected", static_cast<double>(value));
  }
  if (preprocess.color != "rgb" && preprocess.color != "bgr" && preprocess.color != "gray") {
    return Error(Code::kInvalidArgument, "color '%s': rgb, bgr or gray expected",
                 preprocess.color.substr(0, 32).c_str());
  }
  if (preprocess.crop < 0 || preprocess.crop > 65536) {
    return Error(Code::kInvalidArgument, "crop %d: 0 to 65536 expected", preprocess.crop);
  }
  return {};
}

Status Apply(const std::string& mean, const std::string& stddev, const std::string& color, int crop, Preprocess* out) {
  if (!mean.empty()) {
    AQ_ASSIGN_OR_RETURN(out->mean, ParseFloats(mean, "mean"));
  }
  if (!stddev.empty()) {
    AQ_ASSIGN_OR_RETURN(out->stddev, ParseFloats(stddev, "std"));
  }
  if (!color.empty()) out->color = color;
  if (crop >= 0) out->crop = crop;
  return Check(*out);
}

// ITU-R BT.601 luma in 8-bit fixed point, rounded: weights 77 + 150 + 29 = 256.
uint8_t Luma(const uint8_t* rgb) { return static_cast<uint8_t>((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8); }

}  // namespace

Result<Preprocess> ResolvePreprocess(const PreprocessFlags& flags, const Dataset* dataset) {
  Preprocess preprocess;
  if (!flags.preset.empty()) {
    const auto* preset = std::find_if(std::begin(kPresets), std::end(kPresets),
                                      [&](const Preset& row) { return flags.preset == row.name; });
    if (preset == std::end(kPresets)) {
      return Error(Code::kInvalidArgument, "preset '%s': one of %s expected", flags.preset.c_str(), kPresetNames);
    }
    AQ_RETURN_IF_ERROR(Apply(preset->mean, preset->stddev, preset->color, 0, &preprocess));
  } else if (flags.mean.empty() && flags.stddev.empty() && dataset != nullptr && dataset->preprocess()) {
    preprocess = *dataset->preprocess();
  }
  AQ_RETURN_IF_ERROR(Apply(flags.mean, flags.stddev, flags.color, flags.crop, &preprocess));
  return preprocess;
}

Result<Preprocess> PreprocessFromMetadata(const MetadataLookup& lookup) {
  const auto corrupt = [](const Status& status) {
    return Error(Code::kCorrupt, "metadata aq.preprocess: %s", status.message().c_str());
  };
  std::string mean, stddev, color, crop;
  lookup("aq.preprocess.mean", &mean);
  lookup("aq.preprocess.std", &stddev);
  lookup("aq.preprocess.color", &color);
  Preprocess preprocess;
  if (lookup("aq.preprocess.crop", &crop) && !crop.empty()) {
    const Result<int64_t> parsed = ParseInt(crop, "crop");
    if (!parsed.ok()) return corrupt(parsed.status());
    preprocess.crop = static_cast<int>(std::clamp<int64_t>(parsed.value(), -1, 1 << 20));
  }
  if (const Status status = Apply(mean, stddev, color, -1, &preprocess); !status.ok()) return corrupt(status);
  return preprocess;
}

std::string JoinFloats(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) {
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    if (!text.empty()) text += ',';
    text.append(digits, end);
  }
  return text;
}

int CropOffset(int size, int crop) { return (size - crop) / 2; }

Status ToInputCodes(const Image& image, const Preprocess& preprocess, const InputShape& shape,
                    std::vector<uint8_t>* codes) {
  int h = image.h, w = image.w, top = 0, left = 0;
  if (preprocess.crop > 0) {
    if (h < preprocess.crop || w < preprocess.crop) {
      return Error(Code::kInvalidArgument, "image is %dx%d, smaller than the crop of %d", w, h, preprocess.crop);
    }
    top = CropOffset(h, preprocess.crop);
    left = CropOffset(w, preprocess.crop);
    h = w = preprocess.crop;
  }
  const auto product = [](int a, int b, int c) { return int64_t{a} * b * c; };
  // A feature vector has no picture shape: [n, k] data feed a [1, k] input whatever way k is split.
  const bool is_vector = shape.h == 1 && shape.w == 1;
  const bool is_same_size = is_vector ? product(h, w, image.c) == shape.c : h == shape.h && w == shape.w;
  if (!is_same_size) {
    return Error(Code::kInvalidArgument,
                 "image is %dx%dx%d%s, the network wants %dx%dx%d (height x width x channels); images are not resized, "
                 "see --crop",
                 h, w, image.c, preprocess.crop > 0 ? " after the crop" : "", shape.h, shape.w, shape.c);
  }
  const int source_c = image.c;
  const bool is_copy = is_vector || source_c == shape.c;
  const bool is_swap = is_copy && source_c == 3 && !is_vector && preprocess.color == "bgr";
  const bool is_luma = source_c == 3 && shape.c == 1 && preprocess.color == "gray";
  const bool is_spread = source_c == 1 && shape.c == 3;
  if (!is_copy && !is_luma && !is_spread) {
    return Error(Code::kInvalidArgument, "image has %d channels, the network wants %d (color %s)%s", source_c, shape.c,
                 preprocess.color.c_str(), source_c == 3 && shape.c == 1 ? "; use --color gray" : "");
  }
  const int target_c = is_vector ? source_c : shape.c;
  codes->resize(static_cast<size_t>(product(h, w, target_c)));
  uint8_t* out = codes->data();
  for (int y = 0; y < h; ++y) {
    const uint8_t* in = image.pixels.data() + product(top + y, image.w, source_c) + product(left, source_c, 1);
    for (int x = 0; x < w; ++x, in += source_c, out += target_c) {
      if (is_luma) {
        out[0] = Luma(in);
      } else if (is_spread && !is_copy) {
        out[0] = out[1] = out[2] = in[0];
      } else {
        for (int c = 0; c < source_c; ++c) out[c] = in[is_swap ? source_c - 1 - c : c];
      }
    }
  }
  return {};
}

InputSource::InputSource(const Dataset* dataset, const Preprocess& preprocess, const InputShape& shape)
    : dataset_(dataset), preprocess_(preprocess), shape_(shape) {}

Status InputSource::Load(size_t i, std::vector<uint8_t>* pixels) const {
  Image image;
  AQ_RETURN_IF_ERROR(dataset_->Load(i, &image));
  const Status status = ToInputCodes(image, preprocess_, shape_, pixels);
  if (!status.ok()) return Error(status.code(), "image %zu: %s", i, status.message().c_str());
  return {};
}

}  // namespace aq::tools
