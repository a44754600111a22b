// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/scalar.h"

namespace aq {
void depthwise_scalar(const DepthwiseTile& tile) { RunDepthwiseTile<Scalar>(tile); }
}  // namespace aq
