// SPDX-License-Identifier: Apache-2.0
// Names of ISAs and the AQ_ISA override; the same on every CPU. Detection itself is in cpu_x86.cc and cpu_arm.cc.
#include "platforms/cpu.h"

#include <cstdlib>
#include <cstring>

namespace aq {
namespace {

struct IsaRow {
  Isa isa;
  const char* name;
  IsaSet family;  // itself and the ISAs it builds on
};

constexpr IsaSet kScalarOnly;
constexpr IsaSet kUpToAvx2 = kScalarOnly.With(Isa::kAvx2);
constexpr IsaSet kUpToNeon = kScalarOnly.With(Isa::kNeon);
constexpr IsaSet kUpToNeonDot = kUpToNeon.With(Isa::kNeonDot);

constexpr IsaRow kIsaRows[kIsaCount] = {
    {Isa::kScalar, "scalar", kScalarOnly},
    {Isa::kAvx2, "avx2", kUpToAvx2},
    {Isa::kAvxVnni, "avxvnni", kUpToAvx2.With(Isa::kAvxVnni)},
    {Isa::kAvx512Vnni, "avx512vnni", kUpToAvx2.With(Isa::kAvx512Vnni)},
    {Isa::kNeon, "neon", kUpToNeon},
    {Isa::kNeonDot, "neondot", kUpToNeonDot},
    {Isa::kI8mm, "i8mm", kUpToNeonDot.With(Isa::kI8mm)},
};

}  // namespace

const char* IsaName(Isa isa) {
  for (const IsaRow& row : kIsaRows) {
    if (row.isa == isa) return row.name;
  }
  return "unknown";
}

bool ParseIsa(const char* name, Isa* isa) {
  for (const IsaRow& row : kIsaRows) {
    if (std::strcmp(row.name, name) != 0) continue;
    *isa = row.isa;
    return true;
  }
  return false;
}

std::string IsaNames(IsaSet isas) {
  std::string names;
  for (const IsaRow& row : kIsaRows) {
    if (!isas.Has(row.isa)) continue;
    if (!names.empty()) names += ',';
    names += row.name;
  }
  return names;
}

bool LimitIsas(const char* name, IsaSet available, IsaSet* isas, std::string* error) {
  Isa isa;
  if (!ParseIsa(name, &isa) || !available.Has(isa)) {
    *error = std::string("ISA '").append(name, strnlen(name, 64)) +
             "' is not available here; there is: " + IsaNames(available);
    return false;
  }
  *isas = IsaSet(available.bits() & kIsaRows[static_cast<int>(isa)].family.bits());
  return true;
}

bool UsableIsas(IsaSet available, IsaSet* isas, std::string* error) {
  const char* forced = std::getenv("AQ_ISA");
  if (forced != nullptr && *forced != '\0') return LimitIsas(forced, available, isas, error);
  *isas = available;
  return true;
}

}  // namespace aq
