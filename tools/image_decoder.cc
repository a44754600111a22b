// SPDX-License-Identifier: Apache-2.0
// Chooses the decoder by the file's first bytes; the limits all decoders share.
#include "tools/image_decoder.h"

#include <cstring>

namespace aq::tools {

Status CheckImageSize(uint64_t h, uint64_t w, uint64_t c, const std::string& name) {
  if (h < 1 || w < 1) return Error(Code::kCorrupt, "%s: empty image", name.c_str());
  if (h > kMaxImagePixels / w) {
    return Error(Code::kLimit, "%s: %llu x %llu pixels, at most %llu in all", name.c_str(),
                 static_cast<unsigned long long>(w), static_cast<unsigned long long>(h),
                 static_cast<unsigned long long>(kMaxImagePixels));
  }
  if (h * w * c > kMaxImageBytes) {
    return Error(Code::kLimit, "%s: %llu bytes decoded, at most %llu", name.c_str(),
                 static_cast<unsigned long long>(h * w * c), static_cast<unsigned long long>(kMaxImageBytes));
  }
  return {};
}

Status DecodeImage(const std::vector<uint8_t>& bytes, const std::string& name, Image* image) {
  if (bytes.size() >= 3 && std::memcmp(bytes.data(), "\xff\xd8\xff", 3) == 0) return DecodeJpeg(bytes, name, image);
  if (bytes.size() >= 8 && std::memcmp(bytes.data(), "\x89PNG\r\n\x1a\n", 8) == 0) return DecodePng(bytes, name, image);
  return Error(Code::kUnsupported, "%s: neither JPEG nor PNG", name.c_str());
}

#ifndef AQ_HAVE_JPEG
Status DecodeJpeg(const std::vector<uint8_t>&, const std::string& name, Image*) {
  return Error(Code::kUnsupported, "%s: JPEG, but this aq was built without libjpeg", name.c_str());
}
#endif
#ifndef AQ_HAVE_PNG
Status DecodePng(const std::vector<uint8_t>&, const std::string& name, Image*) {
  return Error(Code::kUnsupported, "%s: PNG, but this aq was built without libpng", name.c_str());
}
#endif

}  // namespace aq::tools
