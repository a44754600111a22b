// SPDX-License-Identifier: Apache-2.0
#include "converter/training/fake_quantize.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <vector>

#include "converter/training/accumulate.h"
#include "converter/training/quantize_kernels.h"

namespace aq::converter::training {
namespace {

constexpr int64_t kTensorRow = 4096;

// The tensor as rows of elements that share a channel's grid: image planes, or chunks if there is one grid only.
struct Rows {
  int64_t count, length, channels;
  int64_t rows() const { return ChunkCount(count, length); }
  int64_t begin(int64_t r) const { return r * length; }
  int64_t end(int64_t r) const { return std::min(count, (r + 1) * length); }
};

Rows RowsOf(const Shape& shape, int64_t channels) {
  const int64_t count = NumElements(shape);
  if (channels == 1) return {count, kTensorRow, 1};
  assert(shape.size() >= 2 && shape[1] == channels && "FakeQuantize: channels of quantiser and tensor differ");
  return {count, count / (shape[0] * shape[1]), channels};
}

// Sum of up to kQuantizeBlock terms in fixed lanes: the same bits whatever the vector length.
double SumBlock(const float* terms, int64_t count) {
  float lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int64_t j = 0; j < 16; ++j) lanes[j] += terms[i + j];
  double sum = 0;
  for (; i < count; ++i) sum += terms[i];
  for (float lane : lanes) sum += lane;
  return sum;
}

struct Backward {
  const float *x, *gradient;
  const uint8_t* keep;
  Rows rows;
  QuantizeShared shared;
  const Grid* grids;
  int64_t entries;

  // Row r: writes or adds dx (if there is a sink), returns {step term, border terms} in sums[1 + entries].
  void Row(int64_t r, const Tape::Sink& sink, double* sums) const {
    BackwardBlock block;
    const Grid& grid = grids[r % rows.channels];
    for (int64_t i = rows.begin(r); i < rows.end(r); i += kQuantizeBlock) {
      const int64_t n = std::min(kQuantizeBlock, rows.end(r) - i);
      QuantizeBackward(x + i, keep + i, gradient + i, n, grid, shared, &block);
      if (sink.data && sink.adds) {
        for (int64_t j = 0; j < n; ++j) sink.data[i + j] += block.dx[j];
      } else if (sink.data) {
        std::copy_n(block.dx, n, sink.data + i);
      }
      sums[0] += SumBlock(block.step_term, n);
      if (shared.is_free) {
        for (int64_t j = 0; j < n; ++j) {
          sums[1 + std::min<int64_t>(block.border_cell[j], entries - 1)] += block.border_term[j];  // top level: term 0
        }
      } else if (shared.is_affine) {
        sums[1] += SumBlock(block.border_term, n);
        const float scale = 1 / (shared.step * static_cast<float>(shared.max_level));
        const float zero = static_cast<float>(shared.zero_point) / static_cast<float>(shared.max_level);
        for (int64_t j = 0; j < n; ++j) block.border_term[j] *= x[i + j] * scale + zero;  // u / Q
        sums[2] += SumBlock(block.border_term, n);
      }
    }
  }
};

}  // namespace

Var FakeQuantize(Tape* tape, Var x, ActivationQuantizer* quantizer, const FakeQuantizeOptions& options) {
  const Var step = tape->Leaf(&quantizer->step), border = tape->Leaf(&quantizer->border);
  const Var out = tape->Make(tape->shape(x), {x, step, border});
  const Rows rows = RowsOf(tape->shape(x), quantizer->channels);
  std::vector<Grid> grids(static_cast<size_t>(rows.channels));
  for (size_t c = 0; c < grids.size(); ++c) grids[c] = GridOf(*quantizer, static_cast<int64_t>(c));
  const QuantizeShared shared{quantizer->step.value[0],
                              quantizer->zero_point,
                              MaxLevel(quantizer->bits),
                              BorderShift(quantizer->bits),
                              quantizer->is_affine(),
                              quantizer->is_free(),
                              options.window};

  const size_t bytes = static_cast<size_t>(rows.count);
  uint8_t* keep = reinterpret_cast<uint8_t*>(tape->Saved(out, 0, bytes / sizeof(float) + 1));
  if (options.drop.keep >= 1) {
    std::memset(keep, 1, bytes);
  } else {
    FillMask(options.drop, rows.count, keep);
  }
  const float* in = tape->value(x);
  float* result = tape->MutableValue(out);
  ForRows(rows.rows(), rows.length, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t i = rows.begin(r);
      QuantizeForward(in + i, keep + i, rows.end(r) - i, grids[static_cast<size_t>(r % rows.channels)], shared,
                      result + i);
    }
  });

  tape->OnBackward(out, [=, grids = std::move(grids), entries = int64_t{quantizer->entries()}] {
    const Backward backward{in, tape->gradient(out), keep, rows, shared, grids.data(), entries};
    const Tape::Sink sink = tape->needs_gradient(x) ? tape->GradientSink(x) : Tape::Sink{nullptr, false};
    const int64_t width = 1 + entries;
    std::vector<double> sums(static_cast<size_t>(rows.rows() * width));
    ForRows(rows.rows(), rows.length, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) backward.Row(r, sink, &sums[static_cast<size_t>(r * width)]);
    });
    const double lsq = 1 / std::sqrt(static_cast<double>(rows.count) * shared.max_level);
    const auto total = [&](int64_t channel, int64_t channels, int64_t column) {
      double sum = 0;
      for (int64_t r = channel; r < rows.rows(); r += channels) sum += sums[static_cast<size_t>(r * width + column)];
      return sum;
    };
    Accumulate(tape, step, [&](int64_t) { return static_cast<float>(lsq * total(0, 1, 0)); });
    if (entries == 0) return;
    Accumulate(tape, border,
               [&](int64_t i) { return static_cast<float>(total(i / entries, rows.channels, 1 + i % entries)); });
  });
  return out;
}

}  // namespace aq::converter::training
