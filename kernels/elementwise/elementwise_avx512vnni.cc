// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise/rows.h"
#include "kernels/isa/avx512vnni.h"

namespace aq {
AQ_DEFINE_ROW_KERNELS(avx512vnni, Avx512Vnni)
}  // namespace aq
