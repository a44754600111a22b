// SPDX-License-Identifier: Apache-2.0
#include "converter/training/losses.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "converter/training/accumulate.h"

namespace aq::converter::training {

Var MeanSquaredError(Tape* tape, Var prediction, Var target) {
  const int64_t count = tape->count(prediction);
  assert(count == tape->count(target) && "MeanSquaredError: sizes differ");
  const Shape& shape = tape->shape(prediction);
  const float scale = static_cast<float>(shape.size() > 1 ? shape[1] : 1) / static_cast<float>(count);
  const Var out = tape->Make({1}, {prediction});
  const float *p = tape->value(prediction), *t = tape->value(target);
  std::vector<double> partial(static_cast<size_t>(ChunkCount(count, kChunk)));
  ForChunks(count, kChunk, [&](int64_t begin, int64_t end, int64_t chunk) {
    double lanes[8] = {};  // fixed lanes: vectorises without reordering by the compiler
    int64_t i = begin;
    for (; i + 8 <= end; i += 8)
      for (int64_t j = 0; j < 8; ++j) lanes[j] += double{p[i + j] - t[i + j]} * double{p[i + j] - t[i + j]};
    for (; i < end; ++i) lanes[0] += double{p[i] - t[i]} * double{p[i] - t[i]};
    for (double lane : lanes) partial[static_cast<size_t>(chunk)] += lane;
  });
  double sum = 0;
  for (double term : partial) sum += term;
  *tape->MutableValue(out) = static_cast<float>(sum * scale);
  tape->OnBackward(out, [=] {
    const float factor = 2 * scale * *tape->gradient(out);
    Accumulate(tape, prediction, [=](int64_t i) { return factor * (p[i] - t[i]); });
  });
  return out;
}

namespace {

// log softmax(logits / temperature)
void LogSoftmax(const float* logits, size_t classes, float temperature, double* result) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (size_t i = 0; i < classes; ++i) sum += std::exp((logits[i] - largest) / temperature);
  for (size_t i = 0; i < classes; ++i) result[i] = (logits[i] - largest) / temperature - std::log(sum);
}

}  // namespace

Var SoftenedDivergence(Tape* tape, Var prediction, Var target, float temperature) {
  assert(tape->count(prediction) == tape->count(target) && "SoftenedDivergence: sizes differ");
  const size_t images = static_cast<size_t>(tape->shape(prediction)[0]);
  const size_t classes = static_cast<size_t>(tape->count(prediction)) / images;
  const Var out = tape->Make({1}, {prediction});
  float* difference = tape->Saved(out, 0, images * classes);  // softmax(prediction) - softmax(target)
  std::vector<double> log_p(classes), log_t(classes);
  double sum = 0;
  for (size_t n = 0; n < images; ++n) {
    LogSoftmax(tape->value(prediction) + n * classes, classes, temperature, log_p.data());
    LogSoftmax(tape->value(target) + n * classes, classes, temperature, log_t.data());
    for (size_t i = 0; i < classes; ++i) {
      sum += std::exp(log_t[i]) * (log_t[i] - log_p[i]);
      difference[n * classes + i] = static_cast<float>(std::exp(log_p[i]) - std::exp(log_t[i]));
    }
  }
  const double scale = double{temperature} * temperature / static_cast<double>(images);
  *tape->MutableValue(out) = static_cast<float>(sum * scale);
  tape->OnBackward(out, [=] {
    const float factor = static_cast<float>(scale / temperature) * *tape->gradient(out);
    Accumulate(tape, prediction, [=](int64_t i) { return factor * difference[i]; });
  });
  return out;
}

Var WeightedSum(Tape* tape, std::span<const WeightedTerm> terms) {
  std::vector<Var> inputs;
  float sum = 0;
  for (const WeightedTerm& term : terms) {
    assert(tape->count(term.scalar) == 1 && "WeightedSum: not a scalar");
    inputs.push_back(term.scalar);
    sum += term.weight * tape->scalar(term.scalar);
  }
  const Var out = tape->Make({1}, inputs);
  *tape->MutableValue(out) = sum;
  tape->OnBackward(out, [=, kept = std::vector<WeightedTerm>(terms.begin(), terms.end())] {
    const float g = *tape->gradient(out);
    for (const WeightedTerm& term : kept) Accumulate(tape, term.scalar, [&](int64_t) { return g * term.weight; });
  });
  return out;
}

}  // namespace aq::converter::training
