// SPDX-License-Identifier: Apache-2.0
// What an ARM CPU supports, as the kernel tells (HWCAP): i8mm is newer than Debian's cpuinfo. Other architectures that
// are not x86 end here too, with the scalar kernels.
#include "platforms/cpu.h"

#if !defined(__x86_64__)

#include <cstdio>

#if defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>
#endif

namespace aq {

IsaSet DetectIsas() {
  IsaSet isas;
#if defined(__aarch64__)
  constexpr unsigned long kHwcapAsimd = 1ul << 1, kHwcapAsimdDp = 1ul << 20, kHwcap2I8mm = 1ul << 13;
  const unsigned long hwcap = getauxval(AT_HWCAP), hwcap2 = getauxval(AT_HWCAP2);
  if (hwcap & kHwcapAsimd) isas = isas.With(Isa::kNeon);
  if (hwcap & kHwcapAsimdDp) isas = isas.With(Isa::kNeonDot);
  if (hwcap2 & kHwcap2I8mm) isas = isas.With(Isa::kI8mm);
#elif defined(__arm__)
  constexpr unsigned long kHwcapNeon = 1ul << 12;
  if (getauxval(AT_HWCAP) & kHwcapNeon) isas = isas.With(Isa::kNeon);
#endif
  return isas;
}

std::string CpuName() {
  std::FILE* file = std::fopen("/proc/device-tree/model", "re");  // "Raspberry Pi 4 Model B Rev 1.4"
  if (file == nullptr) return "unknown";
  char name[128] = {};
  const size_t length = std::fread(name, 1, sizeof(name) - 1, file);
  std::fclose(file);
  return length > 0 && name[0] != '\0' ? name : "unknown";
}

}  // namespace aq

#endif
