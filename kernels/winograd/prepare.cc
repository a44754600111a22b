// SPDX-License-Identifier: Apache-2.0
// See prepare.h. Runs once per layer at load; plain loops, the long ones over int16 so that the compiler vectorises.
#include "kernels/winograd/prepare.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/gemm/weight_values.h"

namespace aq {
namespace {

constexpr size_t kTaps = kWinogradTaps * kWinogradTaps;
// Weights are looked at in chunks of kSteps steps of four channels, stored as [lane][element of its pair][step]: the
// two products of a lane and step are summed by one instruction.
constexpr size_t kSteps = 64, kLanes = 2, kPair = 2, kChunk = kSteps * kLanes * kPair;
constexpr size_t kLevels = 7;  // windows of 1, 2, 4 ... 64 steps
static_assert(size_t{1} << (kLevels - 1) == kSteps);

struct Chunk {
  int16_t v[kChunk];
};

void Accumulate(int factor, const Chunk& from, Chunk* sum) {
  const int16_t f = static_cast<int16_t>(factor);
  for (size_t i = 0; i < kChunk; ++i) sum->v[i] = static_cast<int16_t>(sum->v[i] + f * from.v[i]);
}

int32_t MaxMagnitude(const Chunk& chunk) {
  int16_t high = 0, low = 0;
  for (size_t i = 0; i < kChunk; ++i) {
    high = std::max(high, chunk.v[i]);
    low = std::min(low, chunk.v[i]);
  }
  return std::max<int32_t>(high, -low);
}

// largest[level] = at least the largest sum of one sign in any aligned window of 2^level steps of one lane.
void MaxWindowSums(const Chunk& chunk, int16_t sign, int32_t* largest) {
  int16_t sums[kLanes * kSteps];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const int16_t* pair = chunk.v + lane * kPair * kSteps;
    for (size_t i = 0; i < kSteps; ++i) {
      const int16_t a = static_cast<int16_t>(sign * pair[i]), b = static_cast<int16_t>(sign * pair[kSteps + i]);
      sums[lane * kSteps + i] = static_cast<int16_t>(std::max<int16_t>(a, 0) + std::max<int16_t>(b, 0));
    }
  }
  size_t count = kLanes * kSteps;
  for (size_t level = 0; level < kLevels; ++level, count /= 2) {
    int16_t high = 0;
    for (size_t i = 0; i < count; ++i) high = std::max(high, sums[i]);
    largest[level] = std::max<int32_t>(largest[level], high);
    for (size_t i = 0; i < count / 2; ++i) sums[i] = static_cast<int16_t>(sums[2 * i] + sums[2 * i + 1]);
  }
}

// The weights of channel n and input channels from k0, less their zero points, as a chunk for each tap.
void DecodeChunk(const WeightSource& source, const int8_t* values, size_t n, size_t k0, Chunk* taps) {
  const int zero = source.zero_points != nullptr ? source.zero_points[source.first_n + n] : 0;
  const size_t count = std::min(kChunk, source.k - k0);
  for (size_t tap = 0; tap < kTaps; ++tap) {
    taps[tap] = {};
    const size_t first = ((source.first_n + n) * kTaps + tap) * source.k + k0;
    for (size_t i = 0; i < count; ++i) {
      const size_t step = i / (kLanes * kPair), lane = i / kPair % kLanes, element = i % kPair;
      taps[tap].v[(lane * kPair + element) * kSteps + step] =
          static_cast<int16_t>(values[CodeAt(source.codes, first + i, source.bits)] - zero);
    }
  }
}

}  // namespace

WinogradBounds FindWinogradBounds(const WinogradForm& form, const WeightSource& source, int32_t max_code) {
  WinogradBounds bounds;
  for (int i = 0; i < form.in; ++i) {
    for (int j = 0; j < form.in; ++j) {
      const SignedSums sums = SumsOfProduct(form.input[i], form.input[j]);
      const int at = i * form.in + j;
      bounds.max_codes[at] = (sums.positive + sums.negative) * max_code;
      if (bounds.max_codes[at] > INT8_MAX) return bounds;
      bounds.offsets[at] = static_cast<uint8_t>(sums.negative * max_code);
    }
  }

  const WeightValues values(source.bits, source.codebook);
  int32_t largest[kMaxWinogradProducts][kLevels] = {};
  Chunk taps[kTaps], half[kMaxWinogradIn][kWinogradTaps];
  for (size_t n = 0; n < source.n; ++n) {
    for (size_t k = 0; k < source.k; k += kChunk) {
      DecodeChunk(source, values.of_code, n, k, taps);
      for (int i = 0; i < form.in; ++i) {
        for (int j = 0; j < kWinogradTaps; ++j) {
          half[i][j] = {};
          for (int l = 0; l < kWinogradTaps; ++l)
            Accumulate(form.weight[i][l], taps[l * kWinogradTaps + j], &half[i][j]);
        }
      }
      for (int i = 0; i < form.in; ++i) {
        for (int j = 0; j < form.in; ++j) {
          Chunk product = {};
          for (int l = 0; l < kWinogradTaps; ++l) Accumulate(form.weight[j][l], half[i][l], &product);
          const int at = i * form.in + j;
          bounds.max_weights[at] = std::max(bounds.max_weights[at], MaxMagnitude(product));
          if (bounds.max_weights[at] > INT8_MAX) return bounds;
          MaxWindowSums(product, 1, largest[at]);
          MaxWindowSums(product, -1, largest[at]);
        }
      }
    }
  }
  bounds.fits = true;
  for (int p = 0; p < form.products(); ++p) {
    for (size_t level = 0; level < kLevels && largest[p][level] * bounds.max_codes[p] <= INT16_MAX; ++level) {
      bounds.widen_steps[p] = size_t{1} << level;
    }
  }
  return bounds;
}

void WinogradBias(const WinogradForm& form, const WeightSource& source, const uint8_t* offsets, int32_t flip,
                  const int32_t* bias, size_t columns, int32_t* packed) {
  const WeightValues values(source.bits, source.codebook);
  const int out = form.out, in = form.in;
  for (size_t n = 0; n < columns; ++n) {
    int64_t sums[kTaps] = {};  // of a tap's weights
    for (size_t tap = 0; tap < kTaps && n < source.n; ++tap) {
      const int zero = source.zero_points != nullptr ? source.zero_points[source.first_n + n] : 0;
      const size_t first = ((source.first_n + n) * kTaps + tap) * source.k;
      for (size_t k = 0; k < source.k; ++k) {
        sums[tap] += values.of_code[CodeAt(source.codes, first + k, source.bits)] - zero;
      }
    }
    int64_t offset_sums[kMaxWinogradProducts];  // what the constant part of a transformed activation contributes
    for (int i = 0; i < in; ++i) {
      for (int j = 0; j < in; ++j) {
        int64_t weight = 0;
        for (int a = 0; a < kWinogradTaps; ++a) {
          for (int b = 0; b < kWinogradTaps; ++b) {
            weight += form.weight[i][a] * form.weight[j][b] * sums[a * kWinogradTaps + b];
          }
        }
        offset_sums[i * in + j] = weight * (offsets[i * in + j] + flip);
      }
    }
    for (int y = 0; y < out; ++y) {
      for (int x = 0; x < out; ++x) {
        int64_t sum = n < source.n ? int64_t{bias[n]} * form.divisor : 0;
        for (int i = 0; i < in; ++i) {
          for (int j = 0; j < in; ++j) sum -= form.output[y][i] * form.output[x][j] * offset_sums[i * in + j];
        }
        packed[static_cast<size_t>(y * out + x) * columns + n] = static_cast<int32_t>(static_cast<uint32_t>(sum));
      }
    }
  }
}

bool WinogradSumsFit(const WinogradForm& form, int32_t acc_bound) { return acc_bound < INT32_MAX / form.divisor; }

}  // namespace aq
