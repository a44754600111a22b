// SPDX-License-Identifier: Apache-2.0
#include "kernels/depthwise/depthwise_tile.h"
#include "kernels/isa/avx512vnni.h"

namespace aq {
#include "kernels/depthwise/depthwise_avx512vnni.inc"
}  // namespace aq
