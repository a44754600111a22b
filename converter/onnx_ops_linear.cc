// SPDX-License-Identifier: Apache-2.0
// Import of Conv, Gemm, MatMul and BatchNormalization: everything with weights.
#include <cinttypes>
#include <cmath>

#include "converter/onnx_import.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

// An optional constant bias of n entries; zeros if absent.
Result<std::vector<float>> ReadVector(const NodeImport& node, size_t input, size_t n) {
  if (!node.Has(input)) return std::vector<float>(n, 0.0f);
  AQ_ASSIGN_OR_RETURN(const Constant* constant, node.ConstantInput(input));
  if (constant->size() != n) {
    return Error(Code::kCorrupt, "%s: input %zu has %zu elements, must have %zu", node.Name().c_str(), input,
                 constant->size(), n);
  }
  return ToFloats(*constant);
}

Status ImportConv(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const Constant* weights, node.ConstantInput(1));
  const Shape in = node.ShapeOf(x);
  if (in.size() != 3 && in.size() != 4) return NotSupported("%zu dimensions, 3 or 4 are supported", in.size());
  if (weights->shape.size() != in.size()) {
    return Error(Code::kCorrupt, "%s: weights %s for input %s", node.Name().c_str(), ShapeText(weights->shape).c_str(),
                 ShapeText(in).c_str());
  }
  const std::vector<int64_t> kernel(weights->shape.begin() + 2, weights->shape.end());
  if (node.attributes.Has("kernel_shape") && node.attributes.Ints("kernel_shape") != kernel) {
    return Error(Code::kCorrupt, "%s: kernel_shape %s, weights %s", node.Name().c_str(),
                 ShapeText(node.attributes.Ints("kernel_shape")).c_str(), ShapeText(weights->shape).c_str());
  }
  Conv conv;
  conv.groups = node.attributes.Int("group", 1);
  const int64_t n = weights->shape[0];
  if (conv.groups < 1 || conv.groups > in[1] || in[1] % conv.groups != 0 || n < 1 || n % conv.groups != 0 ||
      weights->shape[1] != in[1] / conv.groups) {
    return Error(Code::kCorrupt, "%s: weights %s, group %" PRId64 ", input %s do not fit", node.Name().c_str(),
                 ShapeText(weights->shape).c_str(), conv.groups, ShapeText(in).c_str());
  }
  AQ_ASSIGN_OR_RETURN(conv.window, ReadWindow(node, in, kernel));
  conv.weights = ToFloats(*weights);
  AQ_ASSIGN_OR_RETURN(conv.bias, ReadVector(node, 2, static_cast<size_t>(n)));
  AQ_ASSIGN_OR_RETURN(const ValueId lifted, node.LiftTo4d(x));
  return node.FinishLifted(std::move(conv), {lifted}, in.size());
}

// weights [k][n] or, transposed, [n][k]; out[n][k] *= alpha.
std::vector<float> DenseWeights(const Constant& b, int64_t k, int64_t n, bool is_transposed, float alpha) {
  std::vector<float> weights(b.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < k; ++j) {
      const int64_t source = is_transposed ? i * k + j : j * n + i;
      weights[static_cast<size_t>(i * k + j)] = alpha * b.AsFloat(static_cast<size_t>(source));
    }
  }
  return weights;
}

Status ImportGemm(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const Constant* b, node.ConstantInput(1));
  const Shape& in = node.ShapeOf(x);
  const bool is_transposed = node.attributes.Int("transB", 0) != 0;
  if (in.size() != 2) return NotSupported("input %s has not 2 dimensions", ShapeText(in).c_str());
  if (node.attributes.Int("transA", 0) != 0) return NotSupported("transA = 1");
  if (b->shape.size() != 2 || b->shape[is_transposed ? 1 : 0] != in[1]) {
    return Error(Code::kCorrupt, "%s: weights %s for input %s", node.Name().c_str(), ShapeText(b->shape).c_str(),
                 ShapeText(in).c_str());
  }
  const int64_t k = in[1], n = b->shape[is_transposed ? 0 : 1];
  Dense dense;
  dense.weights = DenseWeights(*b, k, n, is_transposed, node.attributes.Float("alpha", 1));
  dense.bias.assign(static_cast<size_t>(n), 0.0f);
  if (node.Has(2)) {
    AQ_ASSIGN_OR_RETURN(const Constant* c, node.ConstantInput(2));
    const float beta = node.attributes.Float("beta", 1);
    if (c->size() != 1 && c->size() != dense.bias.size()) {
      return Error(Code::kCorrupt, "%s: bias %s for %" PRId64 " outputs", node.Name().c_str(),
                   ShapeText(c->shape).c_str(), n);
    }
    for (size_t i = 0; i < dense.bias.size(); ++i) dense.bias[i] = beta * c->AsFloat(c->size() == 1 ? 0 : i);
  }
  return node.Finish(std::move(dense), {x}, {}, 0);
}

Status ImportMatMul(NodeImport& node) {
  if (!node.IsConstant(0) && !node.IsConstant(1)) return NotSupported("product of two activations");
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  AQ_ASSIGN_OR_RETURN(const Constant* b, node.ConstantInput(1));
  const Shape in = node.ShapeOf(x);
  if (b->shape.size() != 2 || b->shape[0] != in.back()) {
    return NotSupported("weights %s for input %s", ShapeText(b->shape).c_str(), ShapeText(in).c_str());
  }
  const int64_t k = b->shape[0], n = b->shape[1];
  if (Elements(in) != k) return NotSupported("input %s: more than one row", ShapeText(in).c_str());
  Dense dense;
  dense.weights = DenseWeights(*b, k, n, false, 1.0f);
  dense.bias.assign(static_cast<size_t>(n), 0.0f);
  if (in.size() == 2) return node.Finish(std::move(dense), {x}, {}, 0);
  AQ_ASSIGN_OR_RETURN(const ValueId row, node.Emit("row", Reshape{}, {x}, {1, k}));
  AQ_ASSIGN_OR_RETURN(const ValueId product, node.Emit("dense", std::move(dense), {row}, {}));
  Shape out = in;
  out.back() = n;
  return node.Finish(Reshape{}, {product}, out, 0);
}

// A depthwise 1x1 convolution: FoldAffine folds it into what comes before.
Status ImportBatchNormalization(NodeImport& node) {
  AQ_ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Shape in = node.ShapeOf(x);
  if (node.attributes.Int("training_mode", 0) != 0) return NotSupported("training_mode = 1");
  if (in.size() > 4) return NotSupported("%zu dimensions, 2 to 4 are supported", in.size());
  const size_t channels = static_cast<size_t>(in[1]);
  std::vector<float> rows[4];  // gamma, beta, mean, variance
  for (size_t i = 0; i < 4; ++i) {
    if (!node.Has(i + 1)) return Error(Code::kCorrupt, "%s: input %zu is missing", node.Name().c_str(), i + 1);
    AQ_ASSIGN_OR_RETURN(rows[i], ReadVector(node, i + 1, channels));
  }
  const double epsilon = static_cast<double>(node.attributes.Float("epsilon", 1e-5f));
  Conv conv;
  conv.groups = in[1];
  for (size_t i = 0; i < channels; ++i) {
    const double gamma = static_cast<double>(rows[0][i]), beta = static_cast<double>(rows[1][i]);
    const double scale = gamma / std::sqrt(static_cast<double>(rows[3][i]) + epsilon);
    conv.weights.push_back(static_cast<float>(scale));
    conv.bias.push_back(static_cast<float>(beta - static_cast<double>(rows[2][i]) * scale));
    conv.bn_mean.push_back(rows[1][i]);
    conv.bn_stddev.push_back(std::fabs(rows[0][i]));
  }
  AQ_ASSIGN_OR_RETURN(const ValueId lifted, node.LiftTo4d(x));
  return node.FinishLifted(std::move(conv), {lifted}, in.size());
}

}  // namespace

std::vector<ImportRow> LinearOps() {
  return {{"Conv", ImportConv},
          {"Gemm", ImportGemm},
          {"MatMul", ImportMatMul},
          {"BatchNormalization", ImportBatchNormalization}};
}

}  // namespace aq::converter
