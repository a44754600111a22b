// SPDX-License-Identifier: Apache-2.0
// JPEG (libjpeg-turbo) and PNG (libpng) to uint8 gray or RGB. The bytes are untrusted: the size is checked before
// anything is decoded, progressive JPEG is limited in scans. Colour conversion beyond that is preprocess.h's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "tools/dataset.h"

namespace aq::tools {

inline constexpr uint64_t kMaxImagePixels = 64'000'000;
inline constexpr uint64_t kMaxImageBytes = uint64_t{256} << 20;  // decoded
inline constexpr uint64_t kMaxEncodedBytes = uint64_t{64} << 20;
inline constexpr int kMaxJpegScans = 100;

// `name` appears in messages. kCorrupt: damaged or cut short; kLimit: too large; kUnsupported: neither JPEG nor PNG,
// CMYK.
Status DecodeImage(const std::vector<uint8_t>& bytes, const std::string& name, Image* image);

// Shared by the decoders: h, w, c within the limits.
Status CheckImageSize(uint64_t h, uint64_t w, uint64_t c, const std::string& name);
Status DecodeJpeg(const std::vector<uint8_t>& bytes, const std::string& name, Image* image);
Status DecodePng(const std::vector<uint8_t>& bytes, const std::string& name, Image* image);

}  // namespace aq::tools
