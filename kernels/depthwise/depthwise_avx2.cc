// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/avx2.h"

namespace aq {
void depthwise_avx2(const DepthwiseTile& tile) { RunDepthwiseTile<Avx2Base>(tile); }
}  // namespace aq
