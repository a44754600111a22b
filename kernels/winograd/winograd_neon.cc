// SPDX-License-Identifier: Apache-2.0
// The rows of winograd_neon.inc as functions.
#include "kernels/isa/neon.h"
#include "kernels/winograd/transforms.h"

namespace aq {
#include "kernels/winograd/winograd_neon.inc"
}  // namespace aq
