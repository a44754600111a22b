// SPDX-License-Identifier: Apache-2.0
// Parallel loops over fixed chunks. Chunk borders never depend on the number of threads, so reductions that add one
// partial result per chunk in chunk order give the same bits on any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace aq::converter::training {

inline constexpr int64_t kChunk = 16384;

inline int64_t ChunkCount(int64_t count, int64_t chunk) { return (count + chunk - 1) / chunk; }

// body(begin, end, chunk index) for every chunk of [0, count).
template <class Body>
void ForChunks(int64_t count, int64_t chunk, const Body& body) {
  const int64_t chunks = ChunkCount(count, chunk);
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (int64_t i = 0; i < chunks; ++i) body(i * chunk, std::min(count, (i + 1) * chunk), i);
}

// body(begin, end) for chunks of about kChunk elements in whole rows of `row` elements; begin and end count rows.
template <class Body>
void ForRows(int64_t rows, int64_t row, const Body& body) {
  ForChunks(rows, std::max<int64_t>(1, kChunk / std::max<int64_t>(1, row)),
            [&](int64_t begin, int64_t end, int64_t) { body(begin, end); });
}

}  // namespace aq::converter::training
