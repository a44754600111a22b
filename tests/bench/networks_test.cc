// SPDX-License-Identifier: Apache-2.0
// The tables of shapes: what is published about these networks must follow from them.
#include "bench/networks.h"

#include <gtest/gtest.h>

namespace aq::bench {
namespace {

struct Sums {
  uint64_t macs = 0, weights = 0;
  int layers = 0;
};

Sums SumsOf(const Network& network) {
  Sums sums;
  for (const DistinctLayer& layer : DistinctLayers(network)) {
    const ConvGeometry& g = network.ops[layer.op].geometry;
    const uint64_t count = static_cast<uint64_t>(layer.count);
    sums.macs += count * MacsOf(g);
    sums.weights += count * static_cast<uint64_t>(g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups));
    sums.layers += layer.count;
  }
  return sums;
}

TEST(Networks, Resnet18HasItsPublishedSize) {
  const Network network = FindNetwork("resnet18").value();
  const Sums sums = SumsOf(network);
  EXPECT_EQ(sums.macs, 1'814'073'344u);
  EXPECT_EQ(sums.weights, 11'678'912u);
  EXPECT_EQ(sums.layers, 21);
  EXPECT_EQ(DistinctLayers(network).size(), 12u);
}

TEST(Networks, MobilenetV2HasItsPublishedSize) {
  const Sums sums = SumsOf(FindNetwork("mobilenet_v2").value());
  EXPECT_EQ(sums.macs, 300'774'272u);
  EXPECT_EQ(sums.weights, 3'469'760u);
  EXPECT_EQ(sums.layers, 53);
}

TEST(Networks, InputsComeBeforeTheirReadersAndFitThem) {
  for (const std::string& name : NetworkNames()) {
    const Network network = FindNetwork(name).value();
    for (size_t i = 0; i < network.ops.size(); ++i) {
      const NetworkOp& op = network.ops[i];
      ASSERT_LT(op.input, static_cast<int>(i));
      if (op.input != kImage) {
        const ConvGeometry& from = network.ops[static_cast<size_t>(op.input)].geometry;
        EXPECT_EQ(op.geometry.in_c, from.out_c) << name << i;
        EXPECT_EQ(op.geometry.in_h, from.out_h) << name << i;
      }
      if (op.residual == kNone) continue;
      ASSERT_LT(op.residual, static_cast<int>(i));
      const ConvGeometry& residual = network.ops[static_cast<size_t>(op.residual)].geometry;
      EXPECT_EQ(op.geometry.out_c, residual.out_c) << name << i;
      EXPECT_EQ(op.geometry.out_h, residual.out_h) << name << i;
    }
  }
}

TEST(Networks, FirstAndLastLayerStayAtEightBits) {
  const Network network = FindNetwork("resnet18").value();
  const LayerBits first = BitsOfLayer(network, 0, {2, 4});
  EXPECT_EQ(first.weights, 8);
  EXPECT_EQ(first.input, 8);
  EXPECT_EQ(first.output, 4);
  const LayerBits middle = BitsOfLayer(network, 3, {2, 4});
  EXPECT_EQ(middle.weights, 2);
  EXPECT_EQ(middle.input, 4);
  const LayerBits last = BitsOfLayer(network, network.ops.size() - 1, {2, 4});
  EXPECT_EQ(last.weights, 8);
  EXPECT_EQ(last.input, 8);
  EXPECT_EQ(last.output, 32);
}

TEST(ParseBits, TakesTwoFourEightOnly) {
  EXPECT_EQ(ParseBits("w2a8").value().weights, 2);
  EXPECT_EQ(ParseBits("w2a8").value().activations, 8);
  for (const char* wrong : {"", "w4", "w3a4", "w4a16", "4w4a", "w4a4 "}) EXPECT_FALSE(ParseBits(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace aq::bench
