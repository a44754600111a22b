// SPDX-License-Identifier: Apache-2.0
// See pairs.h. Runs once per layer at load; plain loops.
#include "kernels/gemm/pairs.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace aq {
namespace {

constexpr int kLevels = 4, kBits = 2;

// The codebook as centre + factor * unit.
struct Units {
  int of_code[kLevels];
  int centre, factor, lowest, highest;

  explicit Units(const int8_t* codebook) {
    int values[kLevels];
    for (int i = 0; i < kLevels; ++i) values[i] = DecodeWeight(static_cast<uint8_t>(i), kBits, codebook);
    const auto nearer_zero = [](int a, int b) { return std::abs(a) < std::abs(b); };
    centre = *std::min_element(values, values + kLevels, nearer_zero);
    factor = 0;
    for (int value : values) factor = std::gcd(factor, value - centre);
    factor = std::max(factor, 1);
    for (int i = 0; i < kLevels; ++i) of_code[i] = (values[i] - centre) / factor;
    lowest = *std::min_element(of_code, of_code + kLevels);
    highest = *std::max_element(of_code, of_code + kLevels);
  }
  // The run starts where the codebook's extremes have equal room.
  int start() const { return highest == lowest ? 0 : -lowest * UINT8_MAX / (highest - lowest); }
  int max_unit() const { return std::max(highest, -lowest); }
};

bool FitsWords(const WeightSource& source, const Units& units, int32_t max_code) {
  const size_t row = source.taps * source.k, most = static_cast<size_t>(max_code * std::max(units.max_unit(), 1));
  return source.bits == kBits && max_code <= kPairMaxCode && row <= INT16_MAX / most;
}

}  // namespace

PairTable MakePairTable(const int8_t* codebook) {
  const Units units(codebook);
  PairTable table;
  for (int i = 0; i < 256; ++i) {
    const int codes = i % 16, activations = i / 16;
    table.products[i] = static_cast<uint8_t>(activations % kLevels * units.of_code[codes % kLevels] +
                                             activations / kLevels * units.of_code[codes / kLevels]);
  }
  table.start = static_cast<uint8_t>(units.start());
  table.factor = static_cast<int16_t>(units.factor);
  table.centre = units.centre;
  return table;
}

size_t LeastLookupSteps(const WeightSource& source, int32_t max_code) {
  if (source.bits != kBits) return 0;
  const Units units(source.codebook);
  if (!FitsWords(source, units, max_code)) return 0;
  const int up = 2 * max_code * units.highest, down = -2 * max_code * units.lowest;
  const int steps_up = up == 0 ? INT16_MAX : (UINT8_MAX - units.start()) / up;
  const int steps_down = down == 0 ? INT16_MAX : units.start() / down;
  return static_cast<size_t>(std::min(steps_up, steps_down));
}

size_t CountLookupSteps(const WeightSource& source, int32_t max_code) {
  size_t steps = INT16_MAX;  // more than there are
  if (LeastLookupSteps(source, max_code) == 0) return 0;
  const Units units(source.codebook);
  const int most_up = (UINT8_MAX - units.start()) / max_code, most_down = units.start() / max_code;
  // Unlike the tile's, these steps do not skip a tap's padding: it only adds zeros between them.
  const size_t pairs = (source.k + 1) / 2, count = source.taps * pairs;
  for (size_t n = 0; n < source.n; ++n) {
    const size_t first = (source.first_n + n) * source.taps * source.k;
    int up = 0, down = 0;  // sums of positive and negative units over steps [begin, end]
    const auto add = [&](size_t step, int sign) {
      const size_t tap = step / pairs, k = step % pairs * 2;
      for (size_t i = k; i < std::min(k + 2, source.k); ++i) {
        const int unit = units.of_code[CodeAt(source.codes, first + tap * source.k + i, kBits)];
        up += unit > 0 ? sign * unit : 0;
        down -= unit < 0 ? sign * unit : 0;
      }
    };
    for (size_t begin = 0, end = 0; end < count; ++end) {
      add(end, 1);
      for (; up > most_up || down > most_down; ++begin) {
        steps = std::min(steps, end - begin);  // one step more is too many
        add(begin, -1);
      }
    }
  }
  return steps;
}

}  // namespace aq
