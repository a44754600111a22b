// SPDX-License-Identifier: Apache-2.0
#include "converter/augment.h"

#include <algorithm>

#include "converter/training/rng.h"

namespace aq::converter {
namespace {

class Draws {
 public:
  Draws(uint64_t key, uint64_t image) : base_(training::SplitMix64(key ^ training::SplitMix64(image))) {}
  // In [0, 1).
  float Unit() { return static_cast<float>(training::SplitMix64(base_ + next_++) >> 40) * 0x1p-24f; }
  // In [-bound, bound].
  int64_t Within(int64_t bound) {
    const uint64_t count = static_cast<uint64_t>(2 * bound + 1);
    return static_cast<int64_t>(training::SplitMix64(base_ + next_++) % count) - bound;
  }

 private:
  uint64_t base_, next_ = 0;
};

void ShiftAndFlip(const float* image, const Shape& shape, Draws* draws, float* out) {
  const int64_t channels = shape[1], height = shape[2], width = shape[3];
  const int64_t down = draws->Within(height / 8), right = draws->Within(width / 8);
  const bool is_flipped = draws->Unit() < 0.5f;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t y = 0; y < height; ++y) {
      const float* row = image + (c * height + std::clamp<int64_t>(y - down, 0, height - 1)) * width;
      for (int64_t x = 0; x < width; ++x) {
        const int64_t from = std::clamp<int64_t>((is_flipped ? width - 1 - x : x) - right, 0, width - 1);
        *out++ = row[from];
      }
    }
}

}  // namespace

void Augment(const float* images, const Shape& shape, std::span<const int64_t> indices, uint64_t key,
             std::vector<float>* batch) {
  const int64_t size = Elements(shape), count = static_cast<int64_t>(indices.size());
  std::vector<float> moved(static_cast<size_t>(size * count));
  batch->resize(moved.size());
  for (int64_t i = 0; i < count; ++i) {
    Draws draws(key, static_cast<uint64_t>(2 * i));
    const float* image = images + indices[static_cast<size_t>(i)] * size;
    if (shape.size() == 4) {
      ShiftAndFlip(image, shape, &draws, moved.data() + i * size);
    } else {
      std::copy_n(image, size, moved.data() + i * size);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    Draws draws(key, static_cast<uint64_t>(2 * i + 1));
    const float share = draws.Unit() < 0.5f ? draws.Unit() : 0.0f;
    const float *own = moved.data() + i * size, *other = moved.data() + (i + 1) % count * size;
    float* out = batch->data() + i * size;
    for (int64_t j = 0; j < size; ++j) out[j] = own[j] + share * (other[j] - own[j]);
  }
}

}  // namespace aq::converter
