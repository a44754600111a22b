// SPDX-License-Identifier: Apache-2.0
#include "converter/training/drop.h"

#include <algorithm>
#include <cmath>

#include "converter/training/chunks.h"

namespace aq::converter::training {
namespace {

static_assert(kChunk % 4 == 0, "four elements share one 64-bit draw, so a draw must not straddle two chunks");

void FillRange(const Drop& drop, int64_t begin, int64_t end, uint8_t* mask) {
  const uint64_t base = drop.key.Base();
  const uint32_t limit = static_cast<uint32_t>(std::lround(std::clamp(drop.keep, 0.0f, 1.0f) * 65536.0f));
  for (int64_t i = begin; i < end; i += 4) {
    const uint64_t bits = SplitMix64(base + static_cast<uint64_t>(i / 4));
    const int64_t draws = std::min<int64_t>(4, end - i);
    uint8_t* const to = mask + (i - begin);
    for (int64_t j = 0; j < draws; ++j) to[j] = ((bits >> (16 * j)) & 0xFFFF) < limit;
  }
}

}  // namespace

void FillMask(const Drop& drop, int64_t count, uint8_t* mask) {
  ForChunks(count, kChunk, [&](int64_t begin, int64_t end, int64_t) { FillRange(drop, begin, end, mask + begin); });
}

void MixInputs(const Drop& drop, const float* quantised, const float* exact, int64_t count, float* out) {
  ForChunks(count, kChunk, [&](int64_t begin, int64_t end, int64_t) {
    uint8_t mask[kChunk];
    FillRange(drop, begin, end, mask);
    for (int64_t i = begin; i < end; ++i) {
      const float both[2] = {exact[i], quantised[i]};  // no branch: it would be mispredicted every other time
      out[i] = both[mask[i - begin]];
    }
  });
}

}  // namespace aq::converter::training
