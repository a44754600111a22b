// SPDX-License-Identifier: Apache-2.0
#include "converter/border_report.h"

#include <gtest/gtest.h>

#include "kernels/numerics.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

BorderReport Grid(int bits, int zero_point, double scale) {
  BorderReport border;
  border.bits = bits;
  border.zero_point = zero_point;
  border.scale = scale;
  return border;
}

TEST(CodeOf, RoundsToNearestWithoutABorder) {
  const BorderReport grid = Grid(4, 3, 0.5);
  EXPECT_EQ(CodeOf(grid, 0, 0), 3);
  EXPECT_EQ(CodeOf(grid, 0, 0.24f), 3);
  EXPECT_EQ(CodeOf(grid, 0, 0.25f), 4);
  EXPECT_EQ(CodeOf(grid, 0, -0.26f), 2);
  EXPECT_EQ(CodeOf(grid, 0, -100), 0);
  EXPECT_EQ(CodeOf(grid, 0, 1e30f), 15);
}

TEST(CodeOf, FollowsTablesThresholdsAndAffineBorders) {
  BorderReport table = Grid(2, 0, 1);
  table.border.assign(16, kNearestBorder);
  table.border[1] = 200;
  EXPECT_EQ(CodeOf(table, 0, 1.7f), 1);
  EXPECT_EQ(CodeOf(table, 0, 0.7f), 1);
  BorderReport channels = Grid(2, 0, 1);
  channels.thresholds = {127, 383, 639, 10, 383, 639};
  EXPECT_EQ(CodeOf(channels, 0, 0.1f), 0);
  EXPECT_EQ(CodeOf(channels, 1, 0.1f), 1);
  BorderReport affine = Grid(2, 0, 1);
  affine.gain = {1, 1.5f};
  affine.offset = {0, 0};
  EXPECT_EQ(CodeOf(affine, 0, 1), 1);
  EXPECT_EQ(CodeOf(affine, 1, 1.1f), 2);  // 1.65 rounds up
}

Graph Network() {
  GraphBuilder b({1, 3, 10, 10});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 8, Square(3, 1, 1));
  const ValueId c = b.AddConv("a2", a, 8, Square(3, 1, 1), 1, stem);
  return b.Finish({b.AddDense("dense", b.AddFlatten("flatten", b.AddGlobalPool("pool", c)), 5)});
}

ConvertReport Report(const ConvertOptions& options) {
  const Graph graph = Network();
  ConvertReport report;
  const auto file = Convert(graph, RandomImages(40, graph.values[0].shape, 1), options, nullptr, &report);
  EXPECT_TRUE(file.ok()) << file.status().message();
  return report;
}

TEST(BorderReports, NearestRoundingMovesNothingAndLayersAloneAreBetter) {
  ConvertOptions options;
  options.bits = {2, 2};
  options.calibration_count = 40;
  options.check_count = 20;
  options.measure_borders = true;
  options.bias_correction = false;  // it makes up for the layers before, which is an error where there are none
  const ConvertReport report = Report(options);
  ASSERT_EQ(report.borders.size(), 4u);  // stem, a1, a2, pool; the last output is raw
  for (const BorderReport& border : report.borders) EXPECT_EQ(border.moved_percent, 0) << border.tensor;
  ASSERT_EQ(report.layers.size(), 4u);
  for (const LayerReport& layer : report.layers) EXPECT_GE(layer.own_sqnr_db, 0) << layer.name;
  // The first layer's error is its own; later ones inherit.
  EXPECT_NEAR(report.layers[0].own_sqnr_db, report.layers[0].sqnr_db, 1e-9);
  EXPECT_GT(report.layers[2].own_sqnr_db, report.layers[2].sqnr_db);
  EXPECT_GT(report.layers[3].own_sqnr_db, report.layers[3].sqnr_db);

  options.measure_borders = false;
  const ConvertReport plain = Report(options);
  EXPECT_TRUE(plain.borders.empty());
  EXPECT_LT(plain.layers[0].own_sqnr_db, 0);
}

TEST(BorderReports, LearnedBordersMoveSomeValues) {
  ConvertOptions options;
  options.bits = {2, 2};
  options.calibration_count = 40;
  options.check_count = 20;
  options.measure_borders = true;
  options.rounding = Rounding::kAdaptive;
  options.iterations = 60;
  for (const Border border : {Border::kFree, Border::kFreeChannel, Border::kAffineChannel}) {
    options.border = border;
    const ConvertReport report = Report(options);
    const BorderReport& learned = report.borders[1];  // a1
    EXPECT_EQ(learned.border.size(), border == Border::kFree ? 16u : 0u);
    EXPECT_EQ(learned.thresholds.size(), border == Border::kFreeChannel ? 24u : 0u);
    EXPECT_EQ(learned.gain.size(), border == Border::kAffineChannel ? 8u : 0u);
    EXPECT_GT(learned.moved_percent, 0);
    EXPECT_LT(learned.moved_percent, 50);
  }
}

}  // namespace
}  // namespace aq::converter
