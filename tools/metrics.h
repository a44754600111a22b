// SPDX-License-Identifier: Apache-2.0
// Accuracy and output hashes, the same for float and integer outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace aq::tools {

inline constexpr uint64_t kFnvBasis = 0xcbf29ce484222325u;

// FNV-1a, 64 bits: stable across platforms and versions. Not cryptographic.
inline uint64_t Fnv1a(std::span<const uint8_t> bytes, uint64_t hash) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

// Position of `label` when classes are ordered by score, ties by class number (0 = the argmax, as numpy's).
template <class T>
size_t RankOf(std::span<const T> scores, size_t label) {
  size_t rank = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    rank += scores[i] > scores[label] || (scores[i] == scores[label] && i < label);
  }
  return rank;
}

template <class T>
size_t Argmax(std::span<const T> scores) {
  size_t best = 0;
  for (size_t i = 1; i < scores.size(); ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  return best;
}

}  // namespace aq::tools
