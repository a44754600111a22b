// SPDX-License-Identifier: Apache-2.0
#include "runtime/arena.h"

#include <algorithm>
#include <numeric>

#include "platforms/memory.h"

namespace aq {
namespace {

bool LiveTogether(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

uint64_t AlignUp(uint64_t bytes) { return (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment; }

}  // namespace

ArenaLayout LayOutArena(std::span<const Lifetime> blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });

  ArenaLayout layout;
  layout.offsets.resize(blocks.size());
  std::vector<size_t> placed;  // by ascending offset
  for (const size_t index : order) {
    const uint64_t bytes = AlignUp(blocks[index].bytes);
    uint64_t offset = 0;
    for (const size_t other : placed) {
      if (!LiveTogether(blocks[index], blocks[other])) continue;
      if (offset + bytes <= layout.offsets[other]) break;  // fits in the gap before it
      offset = std::max(offset, layout.offsets[other] + AlignUp(blocks[other].bytes));
    }
    layout.offsets[index] = offset;
    layout.bytes = std::max(layout.bytes, offset + bytes);
    const auto at = std::upper_bound(placed.begin(), placed.end(), index,
                                     [&](size_t a, size_t b) { return layout.offsets[a] < layout.offsets[b]; });
    placed.insert(at, index);
  }
  return layout;
}

bool IsValidLayout(std::span<const Lifetime> blocks, const ArenaLayout& layout) {
  if (layout.offsets.size() != blocks.size()) return false;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const uint64_t begin = layout.offsets[i];
    if (begin % kMemoryAlignment != 0 || blocks[i].bytes > layout.bytes || begin > layout.bytes - blocks[i].bytes)
      return false;
    for (size_t j = 0; j < i; ++j) {
      const bool overlaps_in_time = !(blocks[i].last < blocks[j].first || blocks[j].last < blocks[i].first);
      const bool overlaps_in_space =
          begin < layout.offsets[j] + blocks[j].bytes && layout.offsets[j] < begin + blocks[i].bytes;
      if (overlaps_in_time && overlaps_in_space) return false;
    }
  }
  return true;
}

}  // namespace aq
