// SPDX-License-Identifier: Apache-2.0
// Implements records.h.
#include "tools/datasets/records.h"

namespace aq::tools {

Status RecordDataset::Load(size_t i, Image* image) const {
  const Records& r = records_;
  if (i >= r.count) return Error(Code::kInvalidArgument, "image %zu wanted, the data has %zu", i, r.count);
  const size_t channels = static_cast<size_t>(r.c);
  const size_t area = static_cast<size_t>(r.h) * static_cast<size_t>(r.w);
  const uint8_t* record = r.bytes.data() + r.first + i * r.stride;
  image->h = r.h;
  image->w = r.w;
  image->c = r.c;
  image->pixels.resize(area * channels);
  for (size_t pixel = 0; pixel < area; ++pixel) {
    for (size_t channel = 0; channel < channels; ++channel) {
      const size_t from = r.is_planar ? channel * area + pixel : pixel * channels + channel;
      image->pixels[pixel * channels + channel] = record[from] ^ r.flip;
    }
  }
  return {};
}

}  // namespace aq::tools
