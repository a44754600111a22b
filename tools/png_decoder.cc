// SPDX-License-Identifier: Apache-2.0
// PNG through libpng's simplified API: the header first, then 8-bit gray or RGB; alpha is composed on black.
#include <png.h>

#include "tools/image_decoder.h"

namespace aq::tools {

Status DecodePng(const std::vector<uint8_t>& bytes, const std::string& name, Image* image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto failure = [&] {
    const Status status = Error(Code::kCorrupt, "%s: PNG: %s", name.c_str(), png.message);
    png_image_free(&png);
    return status;
  };
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) return failure();
  const bool is_color = (png.format & PNG_FORMAT_FLAG_COLOR) != 0;
  png.format = is_color ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  const int channels = is_color ? 3 : 1;
  if (Status status = CheckImageSize(png.height, png.width, static_cast<uint64_t>(channels), name); !status.ok()) {
    png_image_free(&png);
    return status;
  }
  image->h = static_cast<int>(png.height);
  image->w = static_cast<int>(png.width);
  image->c = channels;
  image->pixels.assign(PNG_IMAGE_SIZE(png), 0);
  const png_color black{};
  if (!png_image_finish_read(&png, &black, image->pixels.data(), 0, nullptr)) return failure();
  png_image_free(&png);
  return {};
}

}  // namespace aq::tools
