// SPDX-License-Identifier: Apache-2.0
// The table of limits: every kernel of every ISA is bounded by exactly one row of it.
#include "bench/peak.h"

#include <gtest/gtest.h>

namespace aq::bench {
namespace {

const bool kHasAvx2Kernels = PeakKernels(IsaSet().With(Isa::kAvx2)).size() > 1;

TEST(PeakKernels, OfScalarOnlyAreScalar) {
  const std::vector<PeakKernel> kernels = PeakKernels(IsaSet());
  ASSERT_EQ(kernels.size(), 1u);
  EXPECT_EQ(kernels[0].isa, Isa::kScalar);
}

TEST(BoundOf, KnowsThatEightByEightBitsNeedWideProductsOnAvx2) {
  const PeakKernel scalar = BoundOf(Isa::kScalar, 2, 2);
  EXPECT_EQ(scalar.isa, Isa::kScalar);
  if (!kHasAvx2Kernels) GTEST_SKIP() << "this build has no AVX2";
  EXPECT_EQ(BoundOf(Isa::kAvx2, 8, 8).bounds, Bounds::kWide);
  EXPECT_EQ(BoundOf(Isa::kAvx2, 4, 8).bounds, Bounds::kNarrow);
  EXPECT_EQ(BoundOf(Isa::kAvx2, 8, 4).bounds, Bounds::kNarrow);
  EXPECT_EQ(BoundOf(Isa::kAvxVnni, 8, 8).isa, Isa::kAvxVnni);
}

TEST(MeasureRates, FindsTwiceTheRateWhereAnInstructionDoesTwiceTheWork) {
  if (!kHasAvx2Kernels || !DetectIsas().Has(Isa::kAvx2)) GTEST_SKIP() << "needs avx2";
  double wide = 0, narrow = 0;
  for (const PeakRate& rate : MeasureRates(IsaSet().With(Isa::kAvx2), 31)) {
    EXPECT_GT(rate.median, 0) << rate.kernel.name;
    EXPECT_GE(rate.best, rate.median) << rate.kernel.name;
    if (rate.kernel.bounds == Bounds::kWide) wide = rate.best;
    if (rate.kernel.bounds == Bounds::kNarrow) narrow = rate.best;
  }
  EXPECT_GT(narrow, 1.2 * wide) << "twice the products per instruction, on every AVX2 processor";
}

}  // namespace
}  // namespace aq::bench
