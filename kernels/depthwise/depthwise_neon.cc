// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/neon.h"

namespace aq {
void depthwise_neon(const DepthwiseTile& tile) { RunDepthwiseTile<NeonBase>(tile); }
}  // namespace aq
