// SPDX-License-Identifier: Apache-2.0
// The dense layer: three row-major matrix products of oneDNN.
#include <cassert>
#include <oneapi/dnnl/dnnl.hpp>

#include "converter/serial_openmp.h"
#include "converter/training/accumulate.h"
#include "converter/training/ops.h"

namespace aq::converter::training {
namespace {

// c [m, n] = op(a) [m, k] * op(b) [k, n] (+ c). On one thread: the same bits whatever their number.
void Gemm(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, const float* a, const float* b,
          bool adds, float* c) {
  const SerialOpenMp serial;
  const dnnl::status status = dnnl::sgemm(transpose_a, transpose_b, m, n, k, 1.0f, a, transpose_a == 'N' ? k : m, b,
                                          transpose_b == 'N' ? n : k, adds ? 1.0f : 0.0f, c, n);
  assert(status == dnnl::status::success);
  (void)status;
}

}  // namespace

Var Dense(Tape* tape, Var x, Var weights, Var bias) {
  const int64_t batch = tape->shape(x)[0], k = tape->count(x) / batch, m = tape->shape(weights)[0];
  assert(tape->count(weights) == m * k && "Dense: weights and input differ in k");
  const Var out = tape->Make({batch, m}, {x, weights, bias});
  const float *in = tape->value(x), *w = tape->value(weights);
  float* y = tape->MutableValue(out);
  if (bias != kNoVar) {
    const float* b = tape->value(bias);
    for (int64_t i = 0; i < batch * m; ++i) y[i] = b[i % m];
  }
  Gemm('N', 'T', batch, m, k, in, w, bias != kNoVar, y);
  tape->OnBackward(out, [=] {
    const float* g = tape->gradient(out);
    if (tape->needs_gradient(x)) {
      const Tape::Sink sink = tape->GradientSink(x);
      Gemm('N', 'N', batch, k, m, g, w, sink.adds, sink.data);
    }
    if (tape->needs_gradient(weights)) {
      const Tape::Sink sink = tape->GradientSink(weights);
      Gemm('T', 'N', m, k, batch, g, in, sink.adds, sink.data);
    }
    Accumulate(tape, bias, [=](int64_t n) {
      double sum = 0;
      for (int64_t i = 0; i < batch; ++i) sum += g[i * m + n];
      return static_cast<float>(sum);
    });
  });
  return out;
}

}  // namespace aq::converter::training
