// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/avx2.h"

namespace aq {
#include "kernels/depthwise/depthwise_avx2.inc"
}  // namespace aq
