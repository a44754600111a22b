// SPDX-License-Identifier: Apache-2.0
// Constant folding, arithmetic: integers stay integers (wrapping like the exporting frameworks), a float makes floats.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>

#include "converter/onnx_fold.h"
#include "converter/onnx_node.h"

namespace aq::converter::internal {
namespace {

struct Binary {
  const char* op;
  bool is_predicate;  // the result is 0 or 1
  float (*floats)(float, float);
  int64_t (*ints)(int64_t, int64_t);
};

int64_t Wrap(uint64_t value) { return static_cast<int64_t>(value); }
uint64_t U(int64_t value) { return static_cast<uint64_t>(value); }

constexpr Binary kBinaries[] = {
    {"Add", false, [](float a, float b) { return a + b; }, [](int64_t a, int64_t b) { return Wrap(U(a) + U(b)); }},
    {"Sub", false, [](float a, float b) { return a - b; }, [](int64_t a, int64_t b) { return Wrap(U(a) - U(b)); }},
    {"Mul", false, [](float a, float b) { return a * b; }, [](int64_t a, int64_t b) { return Wrap(U(a) * U(b)); }},
    {"Div", false, [](float a, float b) { return a / b; },
     [](int64_t a, int64_t b) { return b == -1 ? Wrap(0 - U(a)) : a / b; }},  // b == 0 is refused before
    {"Mod", false, [](float a, float b) { return std::fmod(a, b); },
     [](int64_t a, int64_t b) {
       if (b == -1) return int64_t{0};
       const int64_t rest = a % b;
       return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
     }},
    {"Pow", false, [](float a, float b) { return std::pow(a, b); },
     [](int64_t a, int64_t b) {
       const double power = std::pow(static_cast<double>(a), static_cast<double>(b));
       return std::fabs(power) < 9e18 ? static_cast<int64_t>(power) : int64_t{0};
     }},
    {"Min", false, [](float a, float b) { return std::min(a, b); },
     [](int64_t a, int64_t b) { return std::min(a, b); }},
    {"Max", false, [](float a, float b) { return std::max(a, b); },
     [](int64_t a, int64_t b) { return std::max(a, b); }},
    {"Equal", true, [](float a, float b) { return a == b ? 1.0f : 0.0f; },
     [](int64_t a, int64_t b) { return int64_t{a == b}; }},
    {"Less", true, [](float a, float b) { return a < b ? 1.0f : 0.0f; },
     [](int64_t a, int64_t b) { return int64_t{a < b}; }},
    {"Greater", true, [](float a, float b) { return a > b ? 1.0f : 0.0f; },
     [](int64_t a, int64_t b) { return int64_t{a > b}; }},
    {"And", true, [](float a, float b) { return a != 0 && b != 0 ? 1.0f : 0.0f; },
     [](int64_t a, int64_t b) { return int64_t{a != 0 && b != 0}; }},
    {"Or", true, [](float a, float b) { return a != 0 || b != 0 ? 1.0f : 0.0f; },
     [](int64_t a, int64_t b) { return int64_t{a != 0 || b != 0}; }},
};

struct Unary {
  const char* op;
  float (*floats)(float);
  int64_t (*ints)(int64_t);
};
int64_t Same(int64_t x) { return x; }
constexpr Unary kUnaries[] = {
    {"Neg", [](float x) { return -x; }, [](int64_t x) { return Wrap(0 - U(x)); }},
    {"Abs", [](float x) { return std::fabs(x); }, [](int64_t x) { return x < 0 ? Wrap(0 - U(x)) : x; }},
    {"Not", [](float x) { return x == 0 ? 1.0f : 0.0f; }, [](int64_t x) { return int64_t{x == 0}; }},
    {"Sqrt", [](float x) { return std::sqrt(x); }, nullptr},
    {"Reciprocal", [](float x) { return 1.0f / x; }, nullptr},
    {"Exp", [](float x) { return std::exp(x); }, nullptr},
    {"Log", [](float x) { return std::log(x); }, nullptr},
    {"Ceil", [](float x) { return std::ceil(x); }, Same},
    {"Floor", [](float x) { return std::floor(x); }, Same},
    {"Round", [](float x) { return std::nearbyint(x); }, Same},  // half to even, as ONNX
};

Result<Constant> FoldBinary(const Binary& binary, const Constant& a, const Constant& b) {
  AQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(a.shape, b.shape));
  const Constant left = BroadcastTo(a, shape), right = BroadcastTo(b, shape);
  Constant out;
  out.shape = shape;
  if (!a.is_float && !b.is_float) {
    const std::string_view op = binary.op;
    if ((op == "Div" || op == "Mod") && std::count(right.ints.begin(), right.ints.end(), 0)) {
      return Error(Code::kCorrupt, "integer division by zero");
    }
    for (size_t i = 0; i < left.size(); ++i) out.ints.push_back(binary.ints(left.ints[i], right.ints[i]));
    return out;
  }
  out.is_float = !binary.is_predicate;
  for (size_t i = 0; i < left.size(); ++i) {
    const float value = binary.floats(left.AsFloat(i), right.AsFloat(i));
    if (out.is_float) {
      out.floats.push_back(value);
    } else {
      out.ints.push_back(static_cast<int64_t>(value));
    }
  }
  return out;
}

Result<Constant> FoldWhere(const Constant& condition, const Constant& a, const Constant& b) {
  AQ_ASSIGN_OR_RETURN(const Shape values, BroadcastShape(a.shape, b.shape));
  AQ_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(condition.shape, values));
  const Constant test = BroadcastTo(condition, shape), left = BroadcastTo(a, shape), right = BroadcastTo(b, shape);
  Constant out;
  out.shape = shape;
  out.is_float = a.is_float || b.is_float;
  for (size_t i = 0; i < test.size(); ++i) {
    const Constant& chosen = test.AsFloat(i) != 0 ? left : right;
    if (out.is_float) {
      out.floats.push_back(chosen.AsFloat(i));
    } else {
      out.ints.push_back(chosen.ints[i]);
    }
  }
  return out;
}

// Over all elements only: what shape computations use.
Result<Constant> FoldReduce(const NodeAttributes& attributes, const char* binary_op,
                            const std::vector<const Constant*>& inputs) {
  const Constant& in = *inputs[0];
  const bool has_axes = attributes.Has("axes") || (inputs.size() > 1 && inputs[1]);
  if ((has_axes && in.shape.size() > 1) || in.size() == 0) {
    return Error(Code::kUnsupported, "reduction of constants along some axes");
  }
  const Binary* binary = std::find_if(std::begin(kBinaries), std::end(kBinaries),
                                      [&](const Binary& row) { return std::string_view(row.op) == binary_op; });
  Constant out;
  out.is_float = in.is_float;
  if (attributes.Int("keepdims", 1)) out.shape.assign(in.shape.size(), 1);
  if (in.is_float) {
    out.floats = {std::accumulate(in.floats.begin() + 1, in.floats.end(), in.floats[0], binary->floats)};
  } else {
    out.ints = {std::accumulate(in.ints.begin() + 1, in.ints.end(), in.ints[0], binary->ints)};
  }
  return out;
}

}  // namespace

Result<Constant> FoldArithmetic(const onnx::NodeProto& node, const std::vector<const Constant*>& inputs) {
  const std::string& op = node.op_type();
  const Constant& in = *inputs[0];
  if (op == "Where") return FoldWhere(in, *inputs[1], *inputs[2]);
  const NodeAttributes attributes(node);
  if (op == "ReduceProd") return FoldReduce(attributes, "Mul", inputs);
  if (op == "ReduceSum") return FoldReduce(attributes, "Add", inputs);
  if (op == "ReduceMax") return FoldReduce(attributes, "Max", inputs);
  if (op == "ReduceMin") return FoldReduce(attributes, "Min", inputs);
  for (const Binary& binary : kBinaries) {
    if (op != binary.op) continue;
    Constant out = in;  // Min and Max take any number of inputs
    for (size_t i = 1; i < inputs.size(); ++i) {
      if (!inputs[i]) return Error(Code::kCorrupt, "input %zu is missing", i);
      AQ_ASSIGN_OR_RETURN(out, FoldBinary(binary, out, *inputs[i]));
    }
    return out;
  }
  for (const Unary& unary : kUnaries) {
    if (op != unary.op) continue;
    Constant out = in;
    if (!in.is_float && !unary.ints) return Error(Code::kUnsupported, "%s of integers", op.c_str());
    for (float& value : out.floats) value = unary.floats(value);
    for (int64_t& value : out.ints) value = unary.ints(value);
    return out;
  }
  return Error(Code::kUnsupported, "cannot be evaluated on constants");
}

}  // namespace aq::converter::internal
