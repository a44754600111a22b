// SPDX-License-Identifier: Apache-2.0
// Element-wise loops of ops: fill a value, add a gradient. Parallel over fixed chunks; the lambdas inline.
#pragma once

#include "converter/training/chunks.h"
#include "converter/training/tape.h"

namespace aq::converter::training {

// data[i] = at(i)
template <class At>
void Fill(float* data, int64_t count, const At& at) {
  ForChunks(count, kChunk, [=](int64_t begin, int64_t end, int64_t) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) data[i] = at(i);
  });
}

// d loss / d x_i (+)= at(i), for every element; nothing if x needs no gradient.
template <class At>
void Accumulate(Tape* tape, Var x, const At& at) {
  if (!tape->needs_gradient(x)) return;
  const Tape::Sink sink = tape->GradientSink(x);
  float* const data = sink.data;
  if (sink.adds) {
    Fill(data, tape->count(x), [=](int64_t i) { return data[i] + at(i); });
  } else {
    Fill(data, tape->count(x), at);
  }
}

}  // namespace aq::converter::training
