// SPDX-License-Identifier: Apache-2.0
// Which kernels an ARM CPU gets. Cross builds run this once per emulated CPU and say what that CPU has
// (AQ_EXPECTED_ISAS, toolchains/): a wrong detection would otherwise only show as slowness or a crash.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/depthwise/depthwise.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "platforms/cpu.h"

namespace aq {
namespace {

TEST(EmulatedCpu, HasTheInstructionSetsItIsSaidToHave) {
  const char* expected = std::getenv("AQ_EXPECTED_ISAS");
  if (expected == nullptr) GTEST_SKIP() << "skipped: AQ_EXPECTED_ISAS is set by cross builds only";
  EXPECT_EQ(IsaNames(DetectIsas()), expected);
}

TEST(EmulatedCpu, RunsTheNewestKernelsItCan) {
  if (!DetectIsas().Has(Isa::kNeon)) GTEST_SKIP() << "skipped: needs neon";
  const GemmShape image{.m = 196, .n = 256, .k = 256, .taps = 9, .max_pair = 2 * 128 * 255};
  for (Isa isa : {Isa::kNeon, Isa::kNeonDot, Isa::kI8mm}) {
    if (!DetectIsas().Has(isa)) continue;
    IsaSet isas;
    std::string error;
    ASSERT_TRUE(LimitIsas(IsaName(isa), DetectIsas(), &isas, &error)) << error;
    for (int bits : {2, 4, 8}) {
      GemmShape shape = image;
      shape.weight_bits = bits;
      EXPECT_EQ(SelectGemm(shape, isas).kernel->isa, isa) << IsaName(isa) << ", " << bits << " bits";
      shape.m = 1;  // usmmla multiplies two rows at a time: a single row is for the instruction set before it
      EXPECT_EQ(SelectGemm(shape, isas).kernel->isa, std::min(isa, Isa::kNeonDot))
          << IsaName(isa) << ", " << bits << " bits";
    }
    EXPECT_EQ(SelectRowKernels(isas)->isa, Isa::kNeon);
    EXPECT_EQ(SelectDepthwise(false, isas)->isa, Isa::kNeon);
    EXPECT_TRUE(SelectDepthwise(true, isas)->sums_in_int16);
  }
}

}  // namespace
}  // namespace aq
