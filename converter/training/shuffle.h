// SPDX-License-Identifier: Apache-2.0
// Draws batches of images: the head of a shuffle that goes on from batch to batch. Used by reconstruct.cc and tune.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "converter/training/rng.h"

namespace aq::converter::training {

// Moves `count` <= order.size() random elements of `order` to its front, none twice.
inline void ShuffleHead(const RandomKey& key, size_t count, std::span<int64_t> order) {
  for (size_t i = 0; i < count; ++i) {
    const uint64_t left = order.size() - i;
    std::swap(order[i], order[i + static_cast<size_t>(SplitMix64(key.Base() + i) % left)]);
  }
}

}  // namespace aq::converter::training
