// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/neon.h"

namespace aq {
#include "kernels/depthwise/depthwise_neon.inc"
}  // namespace aq
