// SPDX-License-Identifier: Apache-2.0
#include "converter/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace aq::converter {
namespace {

// Image i holds i + x / 100 in every row: a view tells which image, shift and flip it came from.
std::vector<float> Ramps(int64_t images, int64_t height, int64_t width) {
  std::vector<float> values;
  for (int64_t i = 0; i < images; ++i)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) values.push_back(static_cast<float>(i) + static_cast<float>(x) / 100);
  return values;
}

TEST(Augment, GivesTheSameViewsForTheSameKeyOnly) {
  const std::vector<float> images = Ramps(4, 16, 16);
  const std::vector<int64_t> indices = {2, 0, 3};
  std::vector<float> first, again, other;
  Augment(images.data(), {1, 1, 16, 16}, indices, 7, &first);
  Augment(images.data(), {1, 1, 16, 16}, indices, 7, &again);
  Augment(images.data(), {1, 1, 16, 16}, indices, 8, &other);
  EXPECT_EQ(first.size(), 3u * 256);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(Augment, ShiftsFlipsAndMixesWithinBounds) {
  const std::vector<float> images = Ramps(2, 16, 16);
  std::set<float> left_edges;
  int flipped = 0, mixed = 0;
  constexpr int kTries = 200;
  for (uint64_t key = 0; key < kTries; ++key) {
    std::vector<float> view;
    Augment(images.data(), {1, 1, 16, 16}, std::vector<int64_t>{0, 1}, key, &view);
    const auto [low, high] = std::minmax_element(view.begin(), view.begin() + 256);
    EXPECT_GE(*low, 0);
    EXPECT_LE(*high, 1.15f);
    if (*high > 0.16f) {
      ++mixed;
      continue;
    }
    for (size_t y = 1; y < 16; ++y)  // rows of a ramp are alike, also after a shift down
      ASSERT_TRUE(std::equal(view.begin(), view.begin() + 16, view.begin() + static_cast<int64_t>(16 * y)));
    const bool is_flipped = view[5] > view[10];
    flipped += is_flipped;
    left_edges.insert(is_flipped ? view[15] : view[0]);
    EXPECT_LE(is_flipped ? view[15] : view[0], 0.021f);  // at most two of sixteen columns
  }
  EXPECT_GT(mixed, kTries / 4);
  EXPECT_LT(mixed, kTries * 3 / 4);
  EXPECT_GT(flipped, kTries / 10);
  EXPECT_GE(left_edges.size(), 3u);  // 0, 1 or 2 columns to the left; to the right the edge repeats
}

TEST(Augment, OnlyMixesWhatIsNotAnImage) {
  std::vector<float> rows(3 * 5);
  std::iota(rows.begin(), rows.end(), 0.0f);
  std::vector<float> view;
  Augment(rows.data(), {1, 5}, std::vector<int64_t>{1}, 3, &view);  // its own neighbour: stays as it is
  EXPECT_EQ(view, std::vector<float>(rows.begin() + 5, rows.begin() + 10));
}

}  // namespace
}  // namespace aq::converter
