// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise/rows.h"
#include "kernels/isa/neon.h"

namespace aq {
AQ_DEFINE_ROW_KERNELS(neon, NeonBase)
}  // namespace aq
