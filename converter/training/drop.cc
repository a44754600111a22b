// SPDX-License-Identifier: Apache-2.0
#include "converter/training/drop.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "converter/training/chunks.h"
#include "converter/training/simd.h"

namespace aq::converter::training {
namespace {

constexpr int64_t kDraws = 64, kPerDraw = 4;  // elements share one 64-bit draw, 16 bits each
static_assert(kChunk % kPerDraw == 0, "a draw must not straddle two chunks");

// mask[0 ... kPerDraw * draws) from draws number `first` ...; loops without branches, so that they vectorise.
AQ_CLONES void FillDraws(uint64_t first, int64_t draws, uint32_t limit, uint8_t* mask) {
  uint64_t bits[kDraws];
  uint16_t parts[kDraws * kPerDraw];
  for (int64_t i = 0; i < draws; ++i) bits[i] = SplitMix64(first + static_cast<uint64_t>(i));
  static_assert(sizeof(bits) == sizeof(parts) && std::endian::native == std::endian::little);
  std::memcpy(parts, bits, static_cast<size_t>(draws) * sizeof(bits[0]));
  const uint16_t most = static_cast<uint16_t>(limit - 1);
  const uint8_t any = limit > 0;
  for (int64_t i = 0; i < draws * kPerDraw; ++i) mask[i] = static_cast<uint8_t>(parts[i] <= most) & any;
}

// One of two per element: a branch would be mispredicted every other time.
AQ_CLONES void Select(const uint8_t* mask, const float* quantised, const float* exact, int64_t count, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const float a = quantised[i], b = exact[i];
    out[i] = mask[i] ? a : b;
  }
}

void FillRange(const Drop& drop, int64_t begin, int64_t end, uint8_t* mask) {
  const uint64_t first = drop.key.Base() + static_cast<uint64_t>(begin / kPerDraw);
  const uint32_t limit = static_cast<uint32_t>(std::lround(std::clamp(drop.keep, 0.0f, 1.0f) * 65536.0f));
  const int64_t count = end - begin, whole = count / kPerDraw;
  for (int64_t draw = 0; draw < whole; draw += kDraws) {
    FillDraws(first + static_cast<uint64_t>(draw), std::min(kDraws, whole - draw), limit, mask + draw * kPerDraw);
  }
  uint8_t last[kPerDraw];
  FillDraws(first + static_cast<uint64_t>(whole), 1, limit, last);
  std::copy_n(last, count % kPerDraw, mask + whole * kPerDraw);
}

}  // namespace

void FillMask(const Drop& drop, int64_t count, uint8_t* mask) {
  ForChunks(count, kChunk, [&](int64_t begin, int64_t end, int64_t) { FillRange(drop, begin, end, mask + begin); });
}

void MixInputs(const Drop& drop, const float* quantised, const float* exact, int64_t count, float* out) {
  ForChunks(count, kChunk, [&](int64_t begin, int64_t end, int64_t) {
    uint8_t mask[kChunk];
    FillRange(drop, begin, end, mask);
    Select(mask, quantised + begin, exact + begin, end - begin, out + begin);
  });
}

}  // namespace aq::converter::training
