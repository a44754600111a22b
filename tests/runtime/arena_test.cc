// SPDX-License-Identifier: Apache-2.0
#include "runtime/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace aq {
namespace {

std::vector<Lifetime> RandomBlocks(std::mt19937* random) {
  std::vector<Lifetime> blocks((*random)() % 40);
  for (Lifetime& block : blocks) {
    block.bytes = (*random)() % 4 == 0 ? (*random)() % 5 : (*random)() % 5000;
    block.first = static_cast<int32_t>((*random)() % 20) - 1;
    block.last = block.first + static_cast<int32_t>((*random)() % 8);
  }
  return blocks;
}

TEST(Arena, RandomLayoutsPassTheChecker) {
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    const auto blocks = RandomBlocks(&random);
    const ArenaLayout layout = LayOutArena(blocks);
    ASSERT_TRUE(IsValidLayout(blocks, layout)) << "graph " << i;
    uint64_t total = 0;
    for (const Lifetime& block : blocks) total += (block.bytes + 63) / 64 * 64;
    ASSERT_LE(layout.bytes, total);
  }
}

TEST(Arena, BlocksThatNeverLiveTogetherShareMemory) {
  const std::vector<Lifetime> blocks = {{1000, 0, 1}, {1000, 2, 3}, {1000, 4, 4}};
  EXPECT_EQ(LayOutArena(blocks).bytes, 1024u);
}

TEST(ArenaChecker, RejectsOverlapMisalignmentAndOverrun) {
  const std::vector<Lifetime> blocks = {{100, 0, 2}, {100, 2, 3}};
  EXPECT_TRUE(IsValidLayout(blocks, {{0, 128}, 256}));
  EXPECT_FALSE(IsValidLayout(blocks, {{0, 64}, 256}));
  EXPECT_FALSE(IsValidLayout(blocks, {{0, 129}, 256}));
  EXPECT_FALSE(IsValidLayout(blocks, {{0, 192}, 256}));
  EXPECT_FALSE(IsValidLayout(blocks, {{0}, 256}));
  const std::vector<Lifetime> apart = {{100, 0, 1}, {100, 2, 3}};
  EXPECT_TRUE(IsValidLayout(apart, {{0, 0}, 128}));
}

}  // namespace
}  // namespace aq
