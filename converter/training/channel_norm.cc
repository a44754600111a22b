// SPDX-License-Identifier: Apache-2.0
#include "converter/training/channel_norm.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "converter/training/accumulate.h"

namespace aq::converter::training {
namespace {

constexpr int64_t kLeastSamples = 128;  // of a batch
constexpr double kEpsilon = 1e-5;       // of the mean variance of the layer's channels
constexpr float kLeastGain = 1.0f / 16;

// y [n, c, plane]: image i's channel k is a row.
struct Rows {
  int64_t images, channels, plane;

  Rows(const Tape& tape, Var y) : images(tape.shape(y)[0]), channels(tape.shape(y)[1]) {
    plane = tape.count(y) / (images * channels);
  }
  int64_t samples() const { return images * plane; }
  // body(channel), on several threads.
  template <class Body>
  void ForChannels(const Body& body) const {
    ForChunks(channels, 1, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t k = begin; k < end; ++k) body(k);
    });
  }
  // body(first element, last element + 1) for each row of a channel.
  template <class Body>
  void ForRowsOf(int64_t channel, const Body& body) const {
    for (int64_t i = 0; i < images; ++i) body((i * channels + channel) * plane, (i * channels + channel + 1) * plane);
  }
  // Sum of at(element) over a channel.
  template <class At>
  double Sum(int64_t channel, const At& at) const {
    double lanes[8] = {};  // fixed lanes: vectorises without reordering by the compiler
    ForRowsOf(channel, [&](int64_t begin, int64_t end) {
      int64_t i = begin;
      for (; i + 8 <= end; i += 8)
        for (int64_t j = 0; j < 8; ++j) lanes[j] += at(i + j);
      for (; i < end; ++i) lanes[0] += at(i);
    });
    return std::accumulate(lanes, lanes + 8, 0.0);
  }
};

struct Statistics {
  std::vector<double> means, variances;
};

Statistics StatisticsOf(const Tape& tape, Var y) {
  const Rows rows(tape, y);
  const float* x = tape.value(y);
  Statistics s{std::vector<double>(static_cast<size_t>(rows.channels)), {}};
  s.variances = s.means;
  rows.ForChannels([&](int64_t k) {
    const double count = static_cast<double>(rows.samples());
    const double mean = rows.Sum(k, [=](int64_t i) { return double{x[i]}; }) / count;
    s.means[static_cast<size_t>(k)] = mean;
    s.variances[static_cast<size_t>(k)] = rows.Sum(k, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); }) / count;
  });
  return s;
}

// Of channel k, from the sums.
double MeanOf(const ChannelNorm& norm, size_t k) { return norm.means[k] / static_cast<double>(norm.batches); }
double DeviationOf(const ChannelNorm& norm, size_t k) {
  return std::sqrt(norm.variances[k] / static_cast<double>(norm.batches) + norm.epsilon);
}

}  // namespace

void Measure(const Tape& tape, Var y, ChannelNorm* norm) {
  const Statistics s = StatisticsOf(tape, y);
  norm->means.resize(s.means.size());
  norm->variances.resize(s.means.size());
  for (size_t k = 0; k < s.means.size(); ++k) {
    norm->means[k] += s.means[k];
    norm->variances[k] += s.variances[k];
  }
  ++norm->batches;
  const Rows rows(tape, y);
  norm->images = rows.images;
  norm->samples = rows.samples();
}

Var Normalize(Tape* tape, Var y, Var gain, Var shift, double epsilon) {
  const Var out = tape->Make(tape->shape(y), {y, gain, shift});
  const Rows rows(*tape, y);
  assert(rows.channels == tape->count(gain) && "Normalize: channels differ");
  const Statistics statistics = StatisticsOf(*tape, y);
  const float *x = tape->value(y), *g = tape->value(gain), *b = tape->value(shift);
  float *z = tape->MutableValue(out), *normal = tape->Saved(out, 0, static_cast<size_t>(tape->count(y)));
  float* const inverse = tape->Saved(out, 1, static_cast<size_t>(rows.channels));  // of the standard deviation
  rows.ForChannels([&](int64_t k) {
    const float mean = static_cast<float>(statistics.means[static_cast<size_t>(k)]);
    const float factor = static_cast<float>(1 / std::sqrt(statistics.variances[static_cast<size_t>(k)] + epsilon));
    inverse[k] = factor;
    rows.ForRowsOf(k, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i) {
        normal[i] = (x[i] - mean) * factor;
        z[i] = normal[i] * g[k] + b[k];
      }
    });
  });
  tape->OnBackward(out, [=] {
    const float* d = tape->gradient(out);
    float *to_gain = tape->Temporary(0, static_cast<size_t>(rows.channels)),
          *to_shift = tape->Temporary(1, static_cast<size_t>(rows.channels));
    rows.ForChannels([=](int64_t k) {
      to_gain[k] = static_cast<float>(rows.Sum(k, [=](int64_t i) { return double{d[i]} * double{normal[i]}; }));
      to_shift[k] = static_cast<float>(rows.Sum(k, [=](int64_t i) { return double{d[i]}; }));
    });
    Accumulate(tape, gain, [=](int64_t k) { return to_gain[k]; });
    Accumulate(tape, shift, [=](int64_t k) { return to_shift[k]; });
    if (!tape->needs_gradient(y)) return;
    const Tape::Sink sink = tape->GradientSink(y);
    const float count = static_cast<float>(rows.samples());
    rows.ForChannels([=](int64_t k) {
      const float factor = g[k] * inverse[k], along = to_gain[k] / count, mean = to_shift[k] / count;
      rows.ForRowsOf(k, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
        for (int64_t i = begin; i < end; ++i)
          sink.data[i] = (sink.adds ? sink.data[i] : 0.0f) + factor * (d[i] - mean - normal[i] * along);
      });
    });
  });
  return out;
}

void Start(ChannelNorm* norm) {
  const size_t channels = norm->means.size();
  const int64_t c = static_cast<int64_t>(channels);
  if (norm->images >= kLeastImages && norm->samples >= kLeastSamples) {
    const double mean_variance =
        std::accumulate(norm->variances.begin(), norm->variances.end(), 0.0) / static_cast<double>(norm->batches * c);
    norm->epsilon = std::max(kEpsilon * mean_variance, 1e-30);
    norm->gain = Parameter({c}, std::vector<float>(channels));
    norm->shift = norm->gain;
    for (size_t k = 0; k < channels; ++k) {
      norm->gain.value[k] = static_cast<float>(DeviationOf(*norm, k));
      norm->shift.value[k] = static_cast<float>(MeanOf(*norm, k));
    }
    norm->least_gain = norm->gain.value;
    for (float& least : norm->least_gain) least *= kLeastGain;
  }
  norm->means.clear();
  norm->variances.clear();
  norm->batches = 0;
}

void Project(ChannelNorm* norm) {
  for (size_t k = 0; k < norm->least_gain.size(); ++k)
    norm->gain.value[k] = std::max(norm->gain.value[k], norm->least_gain[k]);
}

void Fold(ChannelNorm* norm, std::span<float> scale, std::span<float> bias) {
  for (size_t k = 0; k < norm->gain.value.size(); ++k) {
    const double factor = norm->gain.value[k] / DeviationOf(*norm, k);
    scale[k] = static_cast<float>(scale[k] * factor);
    bias[k] = static_cast<float>(norm->shift.value[k] + (bias[k] - MeanOf(*norm, k)) * factor);
  }
  *norm = {};
}

}  // namespace aq::converter::training
