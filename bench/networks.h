// SPDX-License-Identifier: Apache-2.0
// Shapes of the networks that --layers and --synthetic measure: one table each in networks.cc, no weights. A residual
// is part of the convolution that adds it, as the converter fuses it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/gemm/convolve.h"
#include "runtime/status.h"

namespace aq::bench {

enum class NetworkOpKind { kConvolution, kDense, kMaxPool, kAveragePool };

inline constexpr int kImage = -1;  // the network's input
inline constexpr int kNone = -2;

struct NetworkOp {
  NetworkOpKind kind = NetworkOpKind::kConvolution;
  int input = kImage;      // index of the op whose result is read
  int residual = kNone;    // of the op whose result is added before rounding
  ConvGeometry geometry;   // of a dense layer: 1x1
  bool is_linear = false;  // no ReLU behind it: its codes have a zero point in the middle

  bool has_weights() const { return kind == NetworkOpKind::kConvolution || kind == NetworkOpKind::kDense; }
  bool is_depthwise() const { return geometry.groups > 1; }
};

struct Network {
  std::string name;
  std::vector<NetworkOp> ops;
};

// kInvalidArgument unless `name` is in NetworkNames().
Result<Network> FindNetwork(const std::string& name);
std::vector<std::string> NetworkNames();

struct Bits {
  int weights = 8, activations = 8;  // each 2, 4 or 8
};
Result<Bits> ParseBits(const std::string& text);  // "w4a8"

// First and last layer keep 8-bit weights, the last an 8-bit input; everything else has the given bits.
struct LayerBits {
  int weights = 8, input = 8;
  int output = 8;  // 32: integers, of the network's last layer
};
LayerBits BitsOfLayer(const Network& network, size_t op, const Bits& bits);

struct DistinctLayer {
  std::string name;  // "conv 3x3 64-128 /2 @56"
  size_t op = 0;     // the first such layer; residuals do not count as a difference
  int count = 0;     // how often the network has it
};
std::vector<DistinctLayer> DistinctLayers(const Network& network);

uint64_t MacsOf(const ConvGeometry& geometry);

}  // namespace aq::bench
