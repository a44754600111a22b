// SPDX-License-Identifier: Apache-2.0
// The converter's float IR: a small set of typed ops over NCHW tensors with static shapes and batch 1. Made by
// onnx_reader.h, simplified by passes.h, executed by float_executor.h, quantised by quantize.h. Plain data.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace aq::converter {

using ValueId = int;  // index into Graph::values
using Shape = std::vector<int64_t>;

struct Value {
  std::string name;  // the ONNX name
  Shape shape;       // batch 1: {1, C, H, W} or {1, C} ...
};

struct Window {
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
};

// inputs {x} or {x, residual}: out = conv(x) + bias (+ residual). Depthwise and stand-alone BatchNorm are groups = C.
struct Conv {
  Window window;
  int64_t groups = 1;
  std::vector<float> weights;  // [n][c / groups][kernel_h][kernel_w]
  std::vector<float> bias;     // [n], never empty
  // BatchNorm statistics of this output before folding, if known: used by conversion without data.
  std::vector<float> bn_mean, bn_stddev;  // beta and |gamma|; empty if unknown
};
struct Dense {                 // inputs {x} (or {x, residual}); x {1, k}, out {1, n}
  std::vector<float> weights;  // [n][k]
  std::vector<float> bias;     // [n], never empty
};
struct Add {};  // inputs {a, b}, same shape
struct Mul {};  // inputs {a, b}; b has a's shape or {1, C, 1, 1}
struct Concat {
  int64_t axis = 1;
};
enum class PoolKind { kMax, kAverage };
struct Pool {  // global pooling: kernel = the whole image
  PoolKind kind = PoolKind::kMax;
  Window window;
  bool count_include_pad = false;
};
// A function of one value: Relu, Clip and friends that could not be fused, and non-linearities.
enum class Function {
  kIdentity,
  kRelu,
  kClip,
  kLeakyRelu,
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kSilu,
  kTanh,
  kElu,
  kGelu,
  kSoftplus,
  kExp,
  kAbs,
  kNeg,
  kAffine
};
struct Elementwise {
  Function function = Function::kIdentity;
  float alpha = 0, beta = 0;  // LeakyRelu slope; HardSigmoid max(0, min(1, alpha x + beta)); Clip [alpha, beta]; Affine
                              // alpha x + beta
};
struct Reshape {};  // to the output's shape, NCHW element order
struct Transpose {
  std::vector<int64_t> permutation;
};
struct Slice {
  std::vector<int64_t> begin, stride;
};  // per dimension, stride >= 1, extent = the output's shape
struct Pad {
  std::vector<int64_t> before, after;
};  // per dimension, with zeros

using Attributes = std::variant<Conv, Dense, Add, Mul, Concat, Pool, Elementwise, Reshape, Transpose, Slice, Pad>;

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Node {
  std::string name;  // the ONNX node's name (or its output's), kept for life
  Attributes attributes;
  std::vector<ValueId> inputs;
  ValueId output = -1;
  // Fused activation: output = min(max(f(inputs), clip_low), clip_high). Relu: 0, inf. Relu6: 0, 6.
  float clip_low = -kInfinity, clip_high = kInfinity;
  // [c], empty unless channels were scaled (channel_steps.h): there the float network clips channel c, and only the
  // integer network at clip_high.
  std::vector<float> channel_clip_high = {};
  bool has_clip() const { return clip_low != -kInfinity || clip_high != kInfinity; }
};

struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;  // topologically ordered, one writer per value
  ValueId input = -1;       // exactly one image or feature input
  std::vector<ValueId> outputs;
  std::string source_sha256;          // of the .onnx file (and external data)
  std::vector<std::string> warnings;  // e.g. "final Softmax removed"
};

// Node index that writes each value (-1: graph input), and node indices that read it.
std::vector<int> Producers(const Graph& graph);
std::vector<std::vector<int>> Consumers(const Graph& graph);
const char* OpName(const Attributes& attributes);  // "Conv", "Dense", ...
std::string Dump(const Graph& graph);              // one line per node, for people and tests
int64_t Elements(const Shape& shape);
int64_t Macs(const Graph& graph);
// Function values, shared by the float executor and the look-up table builder.
float Apply(const Elementwise& elementwise, float x);

}  // namespace aq::converter
