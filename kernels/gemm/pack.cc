// SPDX-License-Identifier: Apache-2.0
// See pack.h. Runs once per layer at load; plain loops.
#include "kernels/gemm/pack.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/gemm/weight_values.h"

namespace aq {
namespace {

size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }
size_t RoundUp(size_t value, size_t step) { return DivideUp(value, step) * step; }

// Where a weight lies within a step: [column][k], or for dot products by lane four columns by four k at a time, or in
// the order of Avx2Pairs.
size_t PlaceInStep(const GemmKernel& kernel, size_t column, size_t k) {
  constexpr size_t kLane = 4;
  const size_t kr = static_cast<size_t>(kernel.kr);
  if (LooksUp(kernel) && kernel.isa == Isa::kAvx2) {
    constexpr size_t kVector = 32, kWordOfFour[4] = {0, 8, 4, 12};
    const size_t half = column % kVector / 16, in_half = column % 16;
    return column / kVector * kVector + 2 * (kWordOfFour[in_half / kLane] + in_half % kLane) + half;
  }
  if (kernel.isa != Isa::kNeonDot) return column * kr + k;
  return column / kLane * kLane * kr + (k / kLane * kLane + column % kLane) * kLane + k % kLane;
}

}  // namespace

PanelLayout LayoutOf(const GemmKernel& kernel, int bits, size_t taps, size_t k, size_t lines, bool whole_taps) {
  assert(kernel.weight_bits == bits || kernel.weight_bits >= 8 || LooksUp(kernel));
  const size_t kr = static_cast<size_t>(kernel.kr), planes = static_cast<size_t>(8 / bits);
  const size_t block = kernel.weight_bits < 8 ? kr * planes : kr;
  PanelLayout layout;
  const bool needs_copies = !whole_taps && !LooksUp(kernel) && (k % block != 0 || kernel.weight_bits == 16);
  // Padding each line instead of the whole window may cost an eighth: about what copying windows costs.
  const bool is_worth_it = lines * RoundUp(taps * k / lines, block) * 7 <= RoundUp(taps * k, block) * 8;
  layout.reads_lines = needs_copies && lines > 1 && is_worth_it;
  layout.gathers = needs_copies && !layout.reads_lines;
  layout.taps = layout.reads_lines ? lines : layout.gathers ? 1 : taps;
  layout.k = taps * k / layout.taps;
  assert(!whole_taps || k % kr == 0);
  layout.k_padded = RoundUp(layout.k, whole_taps ? kr * planes : block);
  layout.bits = bits;
  layout.steps = layout.taps * layout.k_padded / kr;
  layout.blocks = DivideUp(layout.steps, planes);
  layout.step_bytes = static_cast<size_t>(kernel.nr) * kr;
  return layout;
}

namespace {

PanelLayout LayoutOf(const GemmKernel& kernel, const WeightSource& source) {
  return LayoutOf(kernel, source.bits, source.taps, source.k, source.lines, source.whole_taps);
}

}  // namespace

size_t PackedColumns(const GemmKernel& kernel, size_t n) { return RoundUp(n, static_cast<size_t>(kernel.nr)); }

size_t PackedBytes(const GemmKernel& kernel, const WeightSource& source) {
  const size_t panels = PackedColumns(kernel, source.n) / static_cast<size_t>(kernel.nr);
  return panels * LayoutOf(kernel, source).packed_bytes();
}

void PackWeights(const WeightSource& source, const GemmKernel& kernel, uint8_t* packed) {
  const PanelLayout layout = LayoutOf(kernel, source);
  const size_t nr = static_cast<size_t>(kernel.nr), kr = static_cast<size_t>(kernel.kr);
  const size_t bits = static_cast<size_t>(source.bits), planes = 8 / bits, row = source.taps * source.k;
  const size_t tap_steps = layout.k_padded / kr;
  std::memset(packed, 0, PackedBytes(kernel, source));
  for (size_t panel = 0; panel < source.n; panel += nr, packed += layout.packed_bytes()) {
    const size_t columns = std::min(nr, source.n - panel);
    for (size_t n = 0; n < columns; ++n) {
      size_t index = (source.first_n + panel + n) * row;
      for (size_t tap = 0; tap < layout.taps; ++tap) {
        for (size_t k = 0; k < layout.k; ++k, ++index) {
          const size_t step = tap * tap_steps + k / kr, block = step / planes, plane = step % planes;
          uint8_t* field = packed + block * layout.step_bytes + PlaceInStep(kernel, n, k % kr);
          *field = static_cast<uint8_t>(*field | CodeAt(source.codes, index, source.bits) << (plane * bits));
        }
      }
    }
  }
}

void PackBias(const WeightSource& source, const GemmKernel& kernel, const int32_t* bias, int32_t* packed) {
  const WeightValues values(source.bits, source.codebook);
  const size_t n_padded = PackedColumns(kernel, source.n), row = source.taps * source.k;
  for (size_t n = 0; n < n_padded; ++n) {
    uint32_t sum = n < source.n && bias != nullptr ? static_cast<uint32_t>(bias[n]) : 0;
    if (kernel.activation_flip != 0 && n < source.n) {
      const int32_t zero = source.zero_points != nullptr ? source.zero_points[source.first_n + n] : 0;
      int32_t weights = 0;  // |sum| < 2^31 by the accumulator bound
      for (size_t i = 0; i < row; ++i) {
        weights += values.of_code[CodeAt(source.codes, (source.first_n + n) * row + i, source.bits)] - zero;
      }
      sum -= static_cast<uint32_t>(weights) * static_cast<uint32_t>(kernel.activation_flip);
    }
    packed[n] = static_cast<int32_t>(sum);
  }
}

void PackZeroPoints(const WeightSource& source, const GemmKernel& kernel, int8_t* packed) {
  const size_t kr = static_cast<size_t>(kernel.kr), n_padded = PackedColumns(kernel, source.n);
  for (size_t n = 0; n < n_padded; ++n) {
    const int8_t zero =
        n < source.n && source.zero_points != nullptr ? source.zero_points[source.first_n + n] : int8_t{0};
    for (size_t i = 0; i < kr; ++i) packed[PlaceInStep(kernel, n, i)] = zero;
  }
}

void ExpandCodebook(int bits, const int8_t* codebook, int8_t expanded[16]) {
  for (int i = 0; i < 16; ++i) {
    const uint8_t code = static_cast<uint8_t>(bits <= 4 ? i & MaxLevel(bits) : 0);
    expanded[i] = bits <= 4 ? DecodeWeight(code, bits, codebook) : int8_t{0};
  }
}

size_t CountWidenSteps(const GemmKernel& kernel, int32_t max_weight, int32_t max_code) {
  const int32_t flip = kernel.activation_flip;
  return static_cast<size_t>(kernel.max_pair / std::max(2 * max_weight * std::max(max_code + flip, -flip), 1));
}

size_t CountWidenSteps(const WeightSource& source, int32_t max_code) {
  constexpr size_t kStep = 4, kPair = 2;
  const int32_t most_positive = INT16_MAX / max_code, most_negative = INT16_MIN / max_code;
  const WeightValues values(source.bits, source.codebook);
  const size_t row = source.taps * source.k;
  size_t steps = row / kStep + 4;  // never: more than there are, and enough for a 2-bit block
  for (size_t n = 0; n < source.n; ++n) {
    const size_t first = (source.first_n + n) * row;
    const int32_t zero = source.zero_points != nullptr ? source.zero_points[source.first_n + n] : 0;
    for (size_t lane = 0; lane < kStep; lane += kPair) {
      int32_t positive = 0, negative = 0;  // sums over a window of steps [begin, end]
      const auto add = [&](size_t step, int32_t sign) {
        const size_t last = std::min(step * kStep + lane + kPair, row);
        for (size_t i = step * kStep + lane; i < last; ++i) {
          const int32_t w = values.of_code[CodeAt(source.codes, first + i, source.bits)] - zero;
          (w > 0 ? positive : negative) += sign * w;
        }
      };
      const auto overflows = [&] { return positive > most_positive || negative < most_negative; };
      for (size_t begin = 0, end = 0; end * kStep + lane < row; ++end) {
        add(end, 1);
        for (; overflows(); ++begin) {
          steps = std::min(steps, end - begin);  // one step more is too many
          add(begin, -1);
        }
      }
    }
  }
  return steps;
}

}  // namespace aq
