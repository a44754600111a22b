// SPDX-License-Identifier: Apache-2.0
// The rows of winograd_avx2.inc and lines.inc as functions.
#include "kernels/isa/avx2.h"
#include "kernels/winograd/line_transforms.h"
#include "kernels/winograd/transforms.h"

namespace aq {
#include "kernels/winograd/lines.inc"
#include "kernels/winograd/winograd_avx2.inc"
}  // namespace aq
