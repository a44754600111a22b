// SPDX-License-Identifier: Apache-2.0
// See pool.h: collects the pixels of a window that lie inside the image, then one row function.
#include "kernels/pool/pool.h"

#include <algorithm>
#include <cstring>

#include "kernels/gemm/window.h"

namespace aq {

size_t PoolScratchBytes(const Pooling& pooling) {
  const size_t sums = pooling.is_average ? static_cast<size_t>(pooling.geometry.in_c) * sizeof(int32_t) : 0;
  return Taps(pooling.geometry) * sizeof(uint8_t*) + sums;
}

void Pool(const Pooling& pooling, const uint8_t* input, void* out, size_t m_begin, size_t m_end, void* scratch) {
  const ConvGeometry& g = pooling.geometry;
  const size_t channels = static_cast<size_t>(g.in_c);
  const uint8_t** rows = static_cast<const uint8_t**>(scratch);
  int32_t* sums = reinterpret_cast<int32_t*>(rows + Taps(g));
  for (size_t m = m_begin; m < m_end; ++m) {
    size_t count = 0;
    ForEachTap(g, input, m, [&](size_t, const uint8_t* pixel) {
      if (pixel != nullptr) rows[count++] = pixel;
    });
    if (!pooling.is_average) {
      uint8_t* codes = static_cast<uint8_t*>(out) + m * channels;
      if (count > 0) {
        pooling.kernels->maximum(rows, count, channels, codes);
      } else {
        std::memset(codes, 0, channels);  // a window wholly in the padding: the lowest code
      }
      continue;
    }
    pooling.kernels->sum(rows, count, channels, sums);
    const int32_t zero = static_cast<int32_t>(count) * pooling.input_zero_point;
    for (size_t c = 0; c < channels; ++c) sums[c] -= zero;
    const Requantize& rq = pooling.requantize[pooling.count_include_pad ? 0 : std::max<size_t>(count, 1) - 1];
    pooling.kernels->requantize(sums, 0, channels, rq, nullptr,
                                static_cast<uint8_t*>(out) + m * channels * rq.output_bytes());
  }
}

}  // namespace aq
