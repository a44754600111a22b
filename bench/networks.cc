// SPDX-License-Identifier: Apache-2.0
// Implements networks.h.
#include "bench/networks.h"

#include "tools/json.h"

namespace aq::bench {
namespace {

using tools::Format;

constexpr int kImageSize = 224;
constexpr int kImageChannels = 3;
constexpr int kClasses = 1000;

// Appends ops whose input size follows from the op before.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(const char* name) : network_{name, {}} {}

  int last() const { return static_cast<int>(network_.ops.size()) - 1; }

  int Convolution(int input, int out_c, int kernel, int stride) {
    return Window(NetworkOpKind::kConvolution, input, out_c, kernel, stride, 1);
  }
  int Depthwise(int input, int kernel, int stride) {
    const int channels = ChannelsOf(input);
    return Window(NetworkOpKind::kConvolution, input, channels, kernel, stride, channels);
  }
  int MaxPool(int input, int kernel, int stride) {
    const int channels = ChannelsOf(input);
    return Window(NetworkOpKind::kMaxPool, input, channels, kernel, stride, channels);
  }
  int GlobalAveragePool(int input) {
    const ConvGeometry& from = At(input).geometry;
    const ConvGeometry g{.in_h = from.out_h,
                         .in_w = from.out_w,
                         .in_c = from.out_c,
                         .out_c = from.out_c,
                         .kernel_h = from.out_h,
                         .kernel_w = from.out_w,
                         .groups = from.out_c};
    return Append({.kind = NetworkOpKind::kAveragePool, .input = input, .geometry = g});
  }
  int Dense(int input, int out_c) {
    const ConvGeometry g{.in_c = ChannelsOf(input), .out_c = out_c};
    return Append({.kind = NetworkOpKind::kDense, .input = input, .geometry = g, .is_linear = true});
  }
  NetworkOp& At(int op) { return network_.ops[static_cast<size_t>(op)]; }
  Network Take() { return std::move(network_); }

 private:
  int ChannelsOf(int input) { return input == kImage ? kImageChannels : At(input).geometry.out_c; }
  int SizeOf(int input) { return input == kImage ? kImageSize : At(input).geometry.out_h; }

  // Square, padded by half the kernel.
  int Window(NetworkOpKind kind, int input, int out_c, int kernel, int stride, int groups) {
    const int size = SizeOf(input), pad = kernel / 2, out = (size + 2 * pad - kernel) / stride + 1;
    const ConvGeometry g{.in_h = size,
                         .in_w = size,
                         .in_c = ChannelsOf(input),
                         .out_h = out,
                         .out_w = out,
                         .out_c = out_c,
                         .kernel_h = kernel,
                         .kernel_w = kernel,
                         .stride_h = stride,
                         .stride_w = stride,
                         .pad_top = pad,
                         .pad_left = pad,
                         .groups = groups};
    return Append({.kind = kind, .input = input, .geometry = g});
  }
  int Append(NetworkOp op) {
    network_.ops.push_back(op);
    return last();
  }

  Network network_;
};

// He et al. 2015, table 1, 18 layers: two blocks a stage.
Network Resnet18() {
  struct Stage {
    int channels, stride;
  };
  constexpr Stage kStages[] = {{64, 1}, {128, 2}, {256, 2}, {512, 2}};
  NetworkBuilder net("resnet18");
  int x = net.MaxPool(net.Convolution(kImage, 64, 7, 2), 3, 2);
  for (const Stage& stage : kStages) {
    for (const int stride : {stage.stride, 1}) {
      const int first = net.Convolution(x, stage.channels, 3, stride);
      int shortcut = x;
      if (stride != 1) {
        shortcut = net.Convolution(x, stage.channels, 1, stride);
        net.At(shortcut).is_linear = true;
      }
      x = net.Convolution(first, stage.channels, 3, 1);
      net.At(x).residual = shortcut;
    }
  }
  net.Dense(net.GlobalAveragePool(x), kClasses);
  return net.Take();
}

// Sandler et al. 2018, table 2: expansion, channels, blocks, stride of the first block.
Network MobilenetV2() {
  struct Stage {
    int expansion, channels, blocks, stride;
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  NetworkBuilder net("mobilenet_v2");
  int x = net.Convolution(kImage, 32, 3, 2);
  for (const Stage& stage : kStages) {
    for (int block = 0; block < stage.blocks; ++block) {
      const int channels = net.At(x).geometry.out_c;
      const int stride = block == 0 ? stage.stride : 1;
      int wide = x;
      if (stage.expansion != 1) wide = net.Convolution(x, channels * stage.expansion, 1, 1);
      const int narrow = net.Convolution(net.Depthwise(wide, 3, stride), stage.channels, 1, 1);
      net.At(narrow).is_linear = true;
      if (stride == 1 && channels == stage.channels) net.At(narrow).residual = x;
      x = narrow;
    }
  }
  net.Dense(net.GlobalAveragePool(net.Convolution(x, 1280, 1, 1)), kClasses);
  return net.Take();
}

struct NetworkRow {
  const char* name;
  Network (*make)();
};
constexpr NetworkRow kNetworks[] = {{"resnet18", Resnet18}, {"mobilenet_v2", MobilenetV2}};

std::string NameOf(const NetworkOp& op) {
  const ConvGeometry& g = op.geometry;
  if (op.kind == NetworkOpKind::kDense) return Format("dense %d-%d", g.in_c, g.out_c);
  const std::string stride = g.stride_h == 1 ? "" : Format(" /%d", g.stride_h);
  if (op.is_depthwise()) return Format("dw %dx%d %d%s @%d", g.kernel_h, g.kernel_w, g.in_c, stride.c_str(), g.in_h);
  return Format("conv %dx%d %d-%d%s @%d", g.kernel_h, g.kernel_w, g.in_c, g.out_c, stride.c_str(), g.in_h);
}

bool IsWidth(char c) { return c == '2' || c == '4' || c == '8'; }

}  // namespace

Result<Network> FindNetwork(const std::string& name) {
  for (const NetworkRow& row : kNetworks) {
    if (name == row.name) return row.make();
  }
  return Error(Code::kInvalidArgument, "no network %s", name.c_str());
}

std::vector<std::string> NetworkNames() {
  std::vector<std::string> names;
  for (const NetworkRow& row : kNetworks) names.push_back(row.name);
  return names;
}

Result<Bits> ParseBits(const std::string& text) {
  if (text.size() == 4 && text[0] == 'w' && text[2] == 'a' && IsWidth(text[1]) && IsWidth(text[3])) {
    return Bits{text[1] - '0', text[3] - '0'};
  }
  return Error(Code::kInvalidArgument, "bits %s: want wWaA with W and A of 2, 4, 8, say w4a8", text.c_str());
}

LayerBits BitsOfLayer(const Network& network, size_t op, const Bits& bits) {
  LayerBits layer{bits.weights, bits.activations, bits.activations};
  if (network.ops[op].input == kImage) layer.weights = layer.input = 8;
  if (op + 1 == network.ops.size()) layer = {8, 8, 32};
  return layer;
}

std::vector<DistinctLayer> DistinctLayers(const Network& network) {
  std::vector<DistinctLayer> layers;
  for (size_t i = 0; i < network.ops.size(); ++i) {
    if (!network.ops[i].has_weights()) continue;
    const std::string name = NameOf(network.ops[i]);
    size_t row = 0;
    while (row < layers.size() && layers[row].name != name) ++row;
    if (row == layers.size()) layers.push_back({name, i, 0});
    ++layers[row].count;
  }
  return layers;
}

uint64_t MacsOf(const ConvGeometry& g) {
  return uint64_t(g.out_h) * uint64_t(g.out_w) * uint64_t(g.out_c) * uint64_t(g.kernel_h) * uint64_t(g.kernel_w) *
         uint64_t(g.in_c / g.groups);
}

}  // namespace aq::bench
