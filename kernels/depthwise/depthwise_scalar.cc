// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/scalar.h"

namespace aq {
#include "kernels/depthwise/depthwise_scalar.inc"
}  // namespace aq
