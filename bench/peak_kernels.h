// SPDX-License-Identifier: Apache-2.0
// What the peak_<isa>.cc files define: a function per row of peak.inc, and a reader of memory for some ISAs. Only for
// peak.cc and those files, which are compiled for their ISA and so must not emit inline functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aq::bench {

#define AQ_PEAK(isa, Enum, id, name, macs, bounds) void peak_##isa##_##id(size_t steps);
#include "bench/peak.inc"
#undef AQ_PEAK

// Read all of `bytes` (a multiple of 256).
void read_scalar(const uint8_t* memory, size_t bytes);
void read_avx2(const uint8_t* memory, size_t bytes);

}  // namespace aq::bench
