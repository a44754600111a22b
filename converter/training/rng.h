// SPDX-License-Identifier: Apache-2.0
// Counter-based random bits (SplitMix64 of Steele, Lea, Flood 2014): the value at a counter depends on nothing else, so
// masks are the same for every number of threads and a resumed run continues exactly.
#pragma once

#include <cstdint>

namespace aq::converter::training {

constexpr uint64_t SplitMix64(uint64_t counter) {
  uint64_t z = counter * 0x9E3779B97F4A7C15u + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// A stream of its own for each (seed, what it is for, iteration).
struct RandomKey {
  uint64_t seed = 0, stream = 0, iteration = 0;

  // Draw number i is SplitMix64(Base() + i).
  constexpr uint64_t Base() const { return SplitMix64(SplitMix64(SplitMix64(seed) ^ stream) ^ iteration); }
};

}  // namespace aq::converter::training
