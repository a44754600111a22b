// SPDX-License-Identifier: Apache-2.0
// AQ_CLONES: compile a hot function for several x86 levels, chosen at load. Elsewhere, and under sanitizers (whose
// start-up clashes with ifunc), one version. Used on the inner loops of the fake quantisers and their masks only.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define AQ_CLONES [[gnu::target_clones("arch=skylake-avx512", "avx2", "default")]]
#else
#define AQ_CLONES
#endif
