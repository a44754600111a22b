// SPDX-License-Identifier: Apache-2.0
// What an x86 CPU and its OS support. cpuinfo knows AVX2 and AVX-512; AVX-VNNI is newer than Debian's cpuinfo, so
// CPUID and XGETBV are asked here and nowhere else.
#include "platforms/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <cpuinfo.h>

namespace aq {
namespace {

bool OsSavesYmm() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kOsXsave = 1u << 27;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & kOsXsave) == 0) return false;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kXmmAndYmm = 6;
  return (low & kXmmAndYmm) == kXmmAndYmm;
}

bool HasAvxVnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || eax < 1) return false;  // eax: highest subleaf
  if (!__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) return false;
  return (eax >> 4 & 1) != 0 && OsSavesYmm();
}

}  // namespace

IsaSet DetectIsas() {
  IsaSet isas;
  if (!cpuinfo_initialize() || !cpuinfo_has_x86_avx2()) return isas;
  isas = isas.With(Isa::kAvx2);
  if (HasAvxVnni()) isas = isas.With(Isa::kAvxVnni);
  if (cpuinfo_has_x86_avx512vnni() && cpuinfo_has_x86_avx512vl() && cpuinfo_has_x86_avx512bw()) {
    isas = isas.With(Isa::kAvx512Vnni);
  }
  return isas;
}

std::string CpuName() {
  if (!cpuinfo_initialize() || cpuinfo_get_packages_count() == 0) return "unknown";
  const char* name = cpuinfo_get_package(0)->name;
  return *name ? name : "unknown";
}

}  // namespace aq

#endif
