// SPDX-License-Identifier: Apache-2.0
// .aqm files with made-up weights: the shapes of a network (networks.h), every number one that the converter could
// emit. For --layers and --synthetic; their results mean nothing, their speed and size do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/networks.h"

namespace aq::bench {

enum class Border { kNearest, kTable };  // kTable: learned borders; 2-bit tensors get thresholds per channel

struct SyntheticOptions {
  Bits bits;
  Border border = Border::kNearest;
};

// The whole network.
std::vector<uint8_t> SyntheticNetwork(const Network& network, const SyntheticOptions& options);
// One op of it without its residual, and before it a look-up that makes its input from the graph's 8-bit input: so the
// layer finds its input as the op before it leaves it.
std::vector<uint8_t> SyntheticLayer(const Network& network, size_t op, const SyntheticOptions& options);

}  // namespace aq::bench
