// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise/rows.h"
#include "kernels/isa/avx2.h"

namespace aq {
AQ_DEFINE_ROW_KERNELS(avx2, Avx2Base)
}  // namespace aq
