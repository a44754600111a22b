// SPDX-License-Identifier: Apache-2.0
// Add, Mul, Clip and the functions of one value.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "converter/training/accumulate.h"
#include "converter/training/ops.h"

namespace aq::converter::training {

Var Add(Tape* tape, Var a, Var b) {
  assert(tape->shape(a) == tape->shape(b) && "Add: shapes differ");
  const Var out = tape->Make(tape->shape(a), {a, b});
  const float *x = tape->value(a), *y = tape->value(b);
  Fill(tape->MutableValue(out), tape->count(out), [=](int64_t i) { return x[i] + y[i]; });
  tape->OnBackward(out, [=] {
    const float* g = tape->gradient(out);
    Accumulate(tape, a, [=](int64_t i) { return g[i]; });
    Accumulate(tape, b, [=](int64_t i) { return g[i]; });
  });
  return out;
}

namespace {

// a [n, c, plane], b [n or 1, c, 1]: one factor per row of `plane` elements, rows repeat after `factors`.
Var MulByRow(Tape* tape, Var a, Var b) {
  const Var out = tape->Make(tape->shape(a), {a, b});
  const int64_t rows = tape->shape(a)[0] * tape->shape(a)[1], plane = tape->count(a) / rows, factors = tape->count(b);
  assert(rows % factors == 0 && "Mul: factors are neither per channel nor per image and channel");
  const float *x = tape->value(a), *y = tape->value(b);
  float* z = tape->MutableValue(out);
  ForRows(rows, plane, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (int64_t i = r * plane; i < (r + 1) * plane; ++i) z[i] = x[i] * y[r % factors];
  });
  tape->OnBackward(out, [=] {
    const float* g = tape->gradient(out);
    if (tape->needs_gradient(a)) {
      const Tape::Sink sink = tape->GradientSink(a);
      ForRows(rows, plane, [=](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
          for (int64_t i = r * plane; i < (r + 1) * plane; ++i)
            sink.data[i] = (sink.adds ? sink.data[i] : 0.0f) + g[i] * y[r % factors];
      });
    }
    Accumulate(tape, b, [=](int64_t f) {
      double sum = 0;
      for (int64_t r = f; r < rows; r += factors)
        for (int64_t i = r * plane; i < (r + 1) * plane; ++i) sum += double{g[i]} * x[i];
      return static_cast<float>(sum);
    });
  });
  return out;
}

}  // namespace

Var Mul(Tape* tape, Var a, Var b) {
  if (tape->shape(a) != tape->shape(b)) return MulByRow(tape, a, b);
  const Var out = tape->Make(tape->shape(a), {a, b});
  const float *x = tape->value(a), *y = tape->value(b);
  Fill(tape->MutableValue(out), tape->count(out), [=](int64_t i) { return x[i] * y[i]; });
  tape->OnBackward(out, [=] {
    const float* g = tape->gradient(out);
    Accumulate(tape, a, [=](int64_t i) { return g[i] * y[i]; });
    Accumulate(tape, b, [=](int64_t i) { return g[i] * x[i]; });
  });
  return out;
}

Var Clip(Tape* tape, Var x, float low, float high) {
  const Var out = tape->Make(tape->shape(x), {x});
  const float* v = tape->value(x);
  Fill(tape->MutableValue(out), tape->count(out), [=](int64_t i) { return std::min(std::max(v[i], low), high); });
  tape->OnBackward(out, [=] {
    const float *g = tape->gradient(out), *in = tape->value(x);
    Accumulate(tape, x, [=](int64_t i) {
      const float inside = (in[i] > low) & (in[i] < high) ? 1.0f : 0.0f;
      return inside * g[i];
    });
  });
  return out;
}

Var Clip(Tape* tape, Var x, float low, const std::vector<float>& high) {
  const Var out = tape->Make(tape->shape(x), {x});
  const int64_t channels = static_cast<int64_t>(high.size()), rows = tape->shape(x)[0] * channels;
  const int64_t plane = tape->count(x) / rows;
  assert(tape->shape(x)[1] == channels && "Clip: one limit per channel");
  const float* v = tape->value(x);
  float* z = tape->MutableValue(out);
  ForRows(rows, plane, [&, v, z](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float top = high[static_cast<size_t>(r % channels)];
      for (int64_t i = r * plane; i < (r + 1) * plane; ++i) z[i] = std::min(std::max(v[i], low), top);
    }
  });
  tape->OnBackward(out, [=] {
    if (!tape->needs_gradient(x)) return;
    const float *g = tape->gradient(out), *in = tape->value(x);
    const Tape::Sink sink = tape->GradientSink(x);
    ForRows(rows, plane, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float top = high[static_cast<size_t>(r % channels)];
        for (int64_t i = r * plane; i < (r + 1) * plane; ++i) {
          const float inside = (in[i] > low) & (in[i] < top) ? 1.0f : 0.0f;
          sink.data[i] = (sink.adds ? sink.data[i] : 0.0f) + inside * g[i];
        }
      }
    });
  });
  return out;
}

Var Apply(Tape* tape, Var x, const Elementwise& elementwise) {
  constexpr float kInf = kInfinity;
  if (elementwise.function == Function::kRelu) return Clip(tape, x, 0, kInf);
  if (elementwise.function == Function::kClip) return Clip(tape, x, elementwise.alpha, elementwise.beta);
  const Var out = tape->Make(tape->shape(x), {x});
  const float* v = tape->value(x);
  Fill(tape->MutableValue(out), tape->count(out), [=](int64_t i) { return converter::Apply(elementwise, v[i]); });
  tape->OnBackward(out, [=] {
    const float* g = tape->gradient(out);
    Accumulate(tape, x, [=](int64_t i) { return g[i] * Derivative(elementwise, v[i]); });
  });
  return out;
}

float Derivative(const Elementwise& elementwise, float x) {
  const float alpha = elementwise.alpha, beta = elementwise.beta;
  const auto sigmoid = [](float t) { return 1.0f / (1.0f + std::exp(-t)); };
  switch (elementwise.function) {
    case Function::kIdentity:
      return 1;
    case Function::kRelu:
      return x >= 0 ? 1.0f : 0.0f;
    case Function::kClip:
      return x >= alpha && x < beta ? 1.0f : 0.0f;
    case Function::kLeakyRelu:
      return x < 0 ? alpha : 1.0f;
    case Function::kSigmoid:
      return sigmoid(x) * (1.0f - sigmoid(x));
    case Function::kHardSigmoid:
      return alpha * x + beta > 0 && alpha * x + beta < 1 ? alpha : 0.0f;
    case Function::kHardSwish:
      return x < -3 ? 0.0f : x >= 3 ? 1.0f : x / 3.0f + 0.5f;
    case Function::kSilu:
      return sigmoid(x) * (1.0f + x * (1.0f - sigmoid(x)));
    case Function::kTanh:
      return 1.0f - std::tanh(x) * std::tanh(x);
    case Function::kElu:
      return x < 0 ? alpha * std::exp(x) : 1.0f;
    case Function::kGelu: {
      const float density =
          std::exp(-0.5f * x * x) * (std::numbers::inv_sqrtpi_v<float> / std::numbers::sqrt2_v<float>);
      return 0.5f * (1.0f + std::erf(x * 0.70710678f)) + x * density;
    }
    case Function::kSoftplus:
      return sigmoid(x);
    case Function::kExp:
      return std::exp(x);
    case Function::kAbs:
      return x < 0 ? -1.0f : 1.0f;
    case Function::kNeg:
      return -1;
    case Function::kAffine:
      return alpha;
  }
  return 0;
}

}  // namespace aq::converter::training
