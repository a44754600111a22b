// SPDX-License-Identifier: Apache-2.0
// Where tensors lie in the arena: a pure function from sizes and lifetimes to offsets, and a checker that shares no
// code with it. Called by plan.cc; knows nothing of models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace aq {

// A block is live from op `first` to op `last`, both included; -1 is before the first op.
struct Lifetime {
  uint64_t bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

struct ArenaLayout {
  std::vector<uint64_t> offsets;  // 64-byte aligned, one per block
  uint64_t bytes = 0;
};

// Largest block first, each at the lowest offset free during its whole life. Deterministic. Sums must fit uint64.
ArenaLayout LayOutArena(std::span<const Lifetime> blocks);

// True when every block is aligned, inside the arena, and disjoint from every other that is live at the same time.
bool IsValidLayout(std::span<const Lifetime> blocks, const ArenaLayout& layout);

}  // namespace aq
