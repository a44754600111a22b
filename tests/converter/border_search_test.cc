// SPDX-License-Identifier: Apache-2.0
#include "converter/border_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

UnitNetwork::Activation MakeActivation(int bits, training::BorderClass border) {
  UnitNetwork::Activation activation;
  activation.quantizer = training::MakeActivationQuantizer(bits, 0, 1, border, 4);
  return activation;
}

TEST(SearchBorders, FindsThresholdsThatALossPrefers) {
  UnitNetwork::Activation activation = MakeActivation(2, training::BorderClass::kFree);
  const std::vector<float> wanted = {0.75f, 0.3125f, 0.5f};
  const auto loss = [&]() -> Result<double> {
    double sum = 0;
    for (size_t i = 0; i < 3; ++i)
      sum += std::pow(static_cast<double>(activation.quantizer.border.value[i] - wanted[i]), 2);
    return sum;
  };
  ASSERT_TRUE(SearchBorders({&activation}, loss).ok());
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(activation.quantizer.border.value[i], wanted[i], 1.0 / 16) << i;
}

TEST(SearchBorders, MovesOnlyFreeBordersOfTheTensorThatAreStillOpen) {
  UnitNetwork::Activation none = MakeActivation(8, training::BorderClass::kNone);
  UnitNetwork::Activation channels = MakeActivation(2, training::BorderClass::kFreeChannel);
  UnitNetwork::Activation done = MakeActivation(2, training::BorderClass::kFree);
  done.quantizer.border.is_trained = false;
  int calls = 0;
  ASSERT_TRUE(SearchBorders({&none, &channels, &done}, [&]() -> Result<double> { return ++calls; }).ok());
  EXPECT_EQ(calls, 1);
}

TEST(SearchBorders, HandsOnAnError) {
  UnitNetwork::Activation activation = MakeActivation(4, training::BorderClass::kFree);
  const Status status =
      SearchBorders({&activation}, []() -> Result<double> { return Error(Code::kLimit, "too much"); });
  EXPECT_EQ(status.code(), Code::kLimit);
}

// End to end: weights are those of rounding to nearest, borders differ.
TEST(RoundingSearch, ChangesOnlyBorders) {
  GraphBuilder b({1, 3, 10, 10});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 8, Square(3, 1, 1));
  const ValueId block = b.AddConv("a2", a, 8, Square(3, 1, 1), 1, stem);
  const ValueId c = b.AddConv("b", block, 8, Square(3, 2, 1));
  const Graph graph = b.Finish({b.AddDense("dense", b.AddFlatten("flatten", c), 5)});
  for (const int bits : {2, 4}) {
    for (const WeightCodes codes : {WeightCodes::kNearest, WeightCodes::kSquant}) {
      ConvertOptions options;
      options.bits = {bits, bits};
      options.weight_codes = codes;
      options.calibration_count = 40;
      options.check_count = 6;
      options.measure_borders = true;
      const RandomImages images(40, graph.values[0].shape, 1);
      ConvertReport nearest, search;
      const auto plain = Convert(graph, images, options, nullptr, &nearest);
      ASSERT_TRUE(plain.ok());
      options.rounding = Rounding::kSearch;
      const auto file = Convert(graph, images, options, nullptr, &search);
      ASSERT_TRUE(file.ok()) << file.status().message();
      EXPECT_NE(file.value(), plain.value());
      EXPECT_EQ(search.differences, 0u);
      ASSERT_EQ(search.layers.size(), nearest.layers.size());
      for (size_t i = 0; i < search.layers.size(); ++i)
        EXPECT_EQ(search.layers[i].weight_sqnr_db, nearest.layers[i].weight_sqnr_db) << "the same weights";
      bool has_table = false;
      for (const BorderReport& border : search.borders) has_table = has_table || border.moved_percent > 0;
      EXPECT_TRUE(has_table);
      EXPECT_EQ(Convert(graph, images, options, nullptr, nullptr).value(), file.value()) << "the same bytes again";
    }
  }
}

}  // namespace
}  // namespace aq::converter
