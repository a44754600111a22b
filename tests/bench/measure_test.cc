// SPDX-License-Identifier: Apache-2.0
// aq_bench's arithmetic: statistics, and when the loop ends.
#include "bench/measure.h"

#include <gtest/gtest.h>

#include "bench/statistics.h"

namespace aq::bench {
namespace {

TEST(Statistics, OfOneToAHundredMilliseconds) {
  std::vector<uint64_t> samples;
  for (uint64_t i = 100; i >= 1; --i) samples.push_back(i * 1'000'000);
  const Statistics s = Summarize(samples);
  EXPECT_DOUBLE_EQ(s.min, 1);
  EXPECT_DOUBLE_EQ(s.mean, 50.5);
  EXPECT_DOUBLE_EQ(s.median, 50);
  EXPECT_DOUBLE_EQ(s.p90, 90);
  EXPECT_DOUBLE_EQ(s.p99, 99);
  EXPECT_DOUBLE_EQ(s.max, 100);
  EXPECT_NEAR(s.sd, 29.0115, 1e-4);
}

TEST(Statistics, OfOneSample) {
  const Statistics s = Summarize({2'000'000});
  EXPECT_DOUBLE_EQ(s.p99, 2);
  EXPECT_DOUBLE_EQ(s.sd, 0);
}

TEST(NeedsMoreRuns, UntilBothMinimaUnlessTheMaximumIsPassed) {
  EXPECT_TRUE(NeedsMoreRuns(49, 10, 50, 1, 150));
  EXPECT_TRUE(NeedsMoreRuns(50, 0.9, 50, 1, 150));
  EXPECT_FALSE(NeedsMoreRuns(50, 1.0, 50, 1, 150));
  EXPECT_FALSE(NeedsMoreRuns(3, 151, 50, 1, 150));
  EXPECT_TRUE(NeedsMoreRuns(0, 151, 50, 1, 150)) << "one run at least";
}

}  // namespace
}  // namespace aq::bench
