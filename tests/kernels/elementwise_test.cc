// SPDX-License-Identifier: Apache-2.0
// Row functions of every ISA, PrepareRequantize and pooling against the specification, value by value.
#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>

#include "kernels/elementwise/reference.h"
#include "kernels/pool/reference.h"
#include "tests/kernels/convolution_case.h"

namespace aq {

void PrintTo(const RowKernels& kernels, std::ostream* out) { *out << kernels.name; }

namespace {

constexpr size_t kRowLengths[] = {1, 7, 15, 16, 17, 31, 32, 33, 64, 100};

class RowTable : public testing::TestWithParam<RowKernels> {
 protected:
  void SetUp() override {
    if (!DetectIsas().Has(GetParam().isa)) GTEST_SKIP() << "skipped: needs " << IsaName(GetParam().isa);
  }
};

// Read-only and without slack: row functions read exactly their columns.
struct RandomCodes : GuardedBuffer {
  RandomCodes(Random& random, size_t size) : GuardedBuffer(size, 0) {
    for (size_t i = 0; i < size; ++i) data()[i] = random.Byte(255);
    MakeReadOnly();
  }
};

// multiplier 2^30, shift -1: the accumulator is the Q.8 value itself.
TEST_P(RowTable, RoundsEveryValueByTheBorderRule) {
  Random random(1);
  for (int bits : {2, 4, 8}) {
    for (int repeat = 0; repeat < 6; ++repeat) {
      const int32_t multiplier[] = {1 << 30}, offset[] = {0};
      const int8_t shift[] = {-1};
      RequantizeSource source;
      source.multiplier = multiplier;
      source.offset = offset;
      source.shift = shift;
      source.rounding.bits = bits;
      for (uint8_t& border : source.rounding.border) border = random.Byte(255);
      if (repeat == 0) std::fill_n(source.rounding.border, kBorderEntries, kNearestBorder);
      if (repeat == 1) std::fill_n(source.rounding.border, kBorderEntries, uint8_t{0});
      if (repeat == 2) std::fill_n(source.rounding.border, kBorderEntries, uint8_t{255});
      const size_t n = 70000;  // v from -500: below 0, every value, above the top
      AlignedBlock memory = AlignedBlock::Allocate(RequantizeBytes(source, n));
      const Requantize rq = PrepareRequantize(source, n, memory.data());
      std::vector<int32_t> acc(n);
      for (size_t i = 0; i < n; ++i) acc[i] = static_cast<int32_t>(i) - 500;
      acc[n - 1] = (1 << 29) - 1;  // the largest this shift allows (ScalingFits)
      acc[n - 2] = -(1 << 29) + 1;
      std::vector<uint8_t> out(n);
      GetParam().requantize(acc.data(), 0, n, rq, nullptr, out.data());
      for (size_t i = 0; i < n; ++i) {
        ASSERT_EQ(out[i], reference::Requantize(acc[i], nullptr, source, i)) << "v " << acc[i] << ", bits " << bits;
      }
    }
  }
}

TEST_P(RowTable, RequantizesEveryFormOfOutput) {
  uint32_t seed = 100;
  for (size_t columns : kRowLengths) {
    for (int bits : {2, 4, 8, 32}) {
      for (int form = 0; form < 8; ++form) {
        Random random(++seed);
        const bool has_residual = form & 1;
        const size_t column = static_cast<size_t>(random.Int(0, 40)), n = column + columns;
        std::vector<int32_t> bounds(n);
        for (int32_t& bound : bounds)
          bound = static_cast<int32_t>(random.Between(1, random.OneIn(4) ? 1 << 30 : 40000));
        const RandomRequantize rq(random, n, bounds,
                                  {.bits = bits,
                                   .has_residual = has_residual,
                                   .is_per_channel = (form & 2) != 0,
                                   .has_thresholds = bits == 2 && (form & 4) != 0,
                                   .want_acc_thresholds = random.OneIn(2)});
        GuardedBuffer acc(columns * sizeof(int32_t), 0), out(columns * OutputBytes(rq.prepared), 0);
        RandomCodes residual(random, columns);
        std::vector<int32_t> values(columns);
        for (size_t i = 0; i < columns; ++i) {
          const int32_t bound =
              rq.source.multiplier.size() == 1 ? *std::min_element(bounds.begin(), bounds.end()) : bounds[column + i];
          const int32_t edges[] = {-bound, bound, 0};
          values[i] = random.OneIn(3) ? edges[random.Int(0, 2)] : static_cast<int32_t>(random.Between(-bound, bound));
        }
        std::memcpy(acc.data(), values.data(), acc.size());
        const uint8_t* other = has_residual ? residual.data() : nullptr;
        GetParam().requantize(reinterpret_cast<const int32_t*>(acc.data()), column, columns, rq.prepared, other,
                              out.data());
        for (size_t i = 0; i < columns; ++i) {
          ASSERT_EQ(OutputAt(rq.prepared, out.data(), i),
                    reference::Requantize(values[i], has_residual ? other + i : nullptr, rq.source, column + i))
              << "seed " << seed << ", column " << i << " of " << columns << ", bits " << bits << ", form " << form;
        }
      }
    }
  }
}

TEST_P(RowTable, AddsAndRescales) {
  uint32_t seed = 1000;
  for (size_t columns : kRowLengths) {
    for (int bits : {2, 4, 8}) {
      for (int form = 0; form < 8; ++form) {
        Random random(++seed);
        const size_t column = static_cast<size_t>(random.Int(0, 40)), n = column + columns;
        const RandomRequantize rq(random, n, {1000},
                                  {.bits = bits,
                                   .is_addition = true,
                                   .is_per_channel = (form & 2) != 0,
                                   .has_thresholds = bits == 2 && (form & 4) != 0});
        RequantizeSource source = rq.source;
        if (form & 1) {
          source.residual_ratio = {};
          source.residual_zero_point = 0;
        }
        AlignedBlock memory = AlignedBlock::Allocate(RequantizeBytes(source, n));
        const Requantize prepared = PrepareRequantize(source, n, memory.data());
        RandomCodes a(random, columns), b(random, columns);
        GuardedBuffer out(columns, 0);
        const bool is_rescaling = form & 1;
        GetParam().add(a.data(), is_rescaling ? nullptr : b.data(), column, columns, prepared, out.data());
        for (size_t i = 0; i < columns; ++i) {
          const uint8_t* second = is_rescaling ? nullptr : b.data() + i;
          ASSERT_EQ(out.data()[i], reference::Add(a.data()[i], second, source, column + i)) << "seed " << seed;
        }
      }
    }
  }
}

TEST_P(RowTable, Multiplies) {
  uint32_t seed = 2000;
  for (size_t columns : kRowLengths) {
    for (int bits : {2, 4, 8}) {
      Random random(++seed);
      const size_t column = static_cast<size_t>(random.Int(0, 40)), n = column + columns;
      const int zero_a = random.Int(0, 255), zero_b = random.Int(0, 255);
      const RandomRequantize rq(random, n, {255 * 255}, {.bits = bits});
      RandomCodes a(random, columns), b(random, columns);
      GuardedBuffer out(columns, 0);
      GetParam().multiply(a.data(), b.data(), zero_a, zero_b, column, columns, rq.prepared, out.data());
      for (size_t i = 0; i < columns; ++i) {
        ASSERT_EQ(out.data()[i], reference::Multiply(a.data()[i], b.data()[i], zero_a, zero_b, rq.source, column + i));
      }
    }
  }
}

TEST_P(RowTable, LooksUpEveryCode) {
  Random random(3);
  uint8_t table[256];
  for (uint8_t& value : table) value = random.Byte(255);
  for (size_t count : {size_t{1}, size_t{31}, size_t{32}, size_t{256}, size_t{259}}) {
    GuardedBuffer in(count, 0), out(count, 0);
    for (size_t i = 0; i < count; ++i) in.data()[i] = static_cast<uint8_t>(i * 7);
    GetParam().lookup(in.data(), count, table, out.data());
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(out.data()[i], table[in.data()[i]]) << i;
  }
}

TEST_P(RowTable, TakesMaximaAndSums) {
  Random random(4);
  for (size_t columns : kRowLengths) {
    for (size_t count : {size_t{1}, size_t{2}, size_t{9}, size_t{300}}) {
      std::deque<GuardedBuffer> rows;
      std::vector<const uint8_t*> pointers;
      for (size_t i = 0; i < count; ++i) {
        GuardedBuffer& row = rows.emplace_back(columns, 0);
        for (size_t c = 0; c < columns; ++c) row.data()[c] = count == 300 ? uint8_t{255} : random.Byte(255);
        pointers.push_back(row.data());
      }
      GuardedBuffer maxima(columns, 0), sums(columns * sizeof(int32_t), 0);
      GetParam().maximum(pointers.data(), count, columns, maxima.data());
      GetParam().sum(pointers.data(), count, columns, reinterpret_cast<int32_t*>(sums.data()));
      for (size_t c = 0; c < columns; ++c) {
        int32_t maximum = 0, sum = 0;
        for (const uint8_t* row : pointers) {
          maximum = std::max<int32_t>(maximum, row[c]);
          sum += row[c];
        }
        ASSERT_EQ(maxima.data()[c], maximum);
        ASSERT_EQ(reinterpret_cast<const int32_t*>(sums.data())[c], sum);
      }
    }
  }
}

TEST_P(RowTable, PoolsLikeTheReference) {
  uint32_t seed = 3000;
  for (ConvGeometry g : {Geometry(4, 4, 17, 17, 2, 2, 0, 1, 1), Geometry(5, 7, 3, 3, 3, 2, 1, 1, 1),
                         Geometry(7, 7, 33, 33, 7, 1, 0, 1, 1), Geometry(3, 4, 16, 16, 3, 1, 1, 1, 1)}) {
    for (int form = 0; form < 6; ++form) {
      Random random(++seed);
      Pooling pooling{.geometry = g,
                      .is_average = form >= 2,
                      .count_include_pad = form >= 4,
                      .input_zero_point = random.Int(0, 255),
                      .kernels = &GetParam()};
      const int bits = form % 2 == 0 ? 8 : 4;
      const size_t entries = pooling.count_include_pad ? 1 : static_cast<size_t>(g.kernel_h * g.kernel_w);
      std::deque<RandomRequantize> outputs;
      std::vector<Requantize> prepared;
      std::vector<RequantizeSource> sources;
      for (size_t i = 0; i < entries; ++i) {
        outputs.emplace_back(random, static_cast<size_t>(g.in_c), std::vector<int32_t>{255 * g.kernel_h * g.kernel_w},
                             RandomRequantize::Options{.bits = bits});
        prepared.push_back(outputs.back().prepared);
        sources.push_back(outputs.back().source);
      }
      pooling.requantize = prepared.data();
      RandomCodes input(random, static_cast<size_t>(g.in_h * g.in_w * g.in_c));
      const size_t m = static_cast<size_t>(g.out_h * g.out_w), channels = static_cast<size_t>(g.in_c);
      GuardedBuffer out(m * channels, 0);
      AlignedBlock scratch = AlignedBlock::Allocate(PoolScratchBytes(pooling));
      Pool(pooling, input.data(), out.data(), 0, m / 2, scratch.data());
      Pool(pooling, input.data(), out.data(), m / 2, m, scratch.data());
      for (size_t i = 0; i < m * channels; ++i) {
        const int pixel = static_cast<int>(i / channels), c = static_cast<int>(i % channels);
        ASSERT_EQ(out.data()[i],
                  reference::Pool(pooling, sources.data(), input.data(), pixel / g.out_w, pixel % g.out_w, c))
            << "seed " << seed << ", form " << form << ", position " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllRows, RowTable, testing::ValuesIn(AllRowKernels().begin(), AllRowKernels().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PrepareRequantize, MakesCodesDirectlyOnlyWhereThatIsExact) {
  const std::vector<int32_t> multiplier = {1 << 30};
  const auto makes_codes = [&](int shift, int bits, uint8_t last_border, int32_t of_zero) {
    const std::vector<int8_t> shifts = {static_cast<int8_t>(shift)};
    const std::vector<int32_t> offsets = {of_zero};
    RequantizeSource source;
    source.multiplier = multiplier;
    source.shift = shifts;
    source.offset = offsets;
    source.rounding.bits = bits;
    source.rounding.border[kBorderEntries - 1] = last_border;
    AlignedBlock memory = AlignedBlock::Allocate(RequantizeBytes(source, 1));
    return PrepareRequantize(source, 1, memory.data()).code_offset != nullptr;
  };
  EXPECT_TRUE(makes_codes(1, 8, kNearestBorder, 1));
  EXPECT_TRUE(makes_codes(-6, 8, kNearestBorder, 0));   // 128 halved seven times
  EXPECT_FALSE(makes_codes(-6, 8, kNearestBorder, 1));  // 129
  EXPECT_FALSE(makes_codes(-7, 8, kNearestBorder, 0));
  EXPECT_FALSE(makes_codes(1, 8, kNearestBorder + 1, 0));
  EXPECT_FALSE(makes_codes(1, 4, kNearestBorder, 0));
  EXPECT_FALSE(makes_codes(30, 8, kNearestBorder, 0));
}

TEST(SelectRowKernels, TakesTheNewestUsable) {
  EXPECT_STREQ(SelectRowKernels(IsaSet())->name, "scalar_rows");
  EXPECT_EQ(SelectRowKernels(IsaSet(~0u)), AllRowKernels().end() - 1);
}

}  // namespace
}  // namespace aq
