// SPDX-License-Identifier: Apache-2.0
// Which instruction sets exist, which this machine has, which may be used. The only place that asks the CPU.
#pragma once

#include <cstdint>
#include <string>

namespace aq {

// Oldest first: kernels of a later ISA win ties. Names are the same in files, tables, AQ_ISA and benchmarks.
enum class Isa : uint8_t { kScalar, kAvx2, kAvxVnni, kAvx512Vnni, kNeon, kNeonDot, kI8mm };
inline constexpr int kIsaCount = 7;

class IsaSet {
 public:
  constexpr IsaSet() = default;
  constexpr explicit IsaSet(uint32_t bits) : bits_(bits) {}
  constexpr bool Has(Isa isa) const { return bits_ >> static_cast<int>(isa) & 1; }
  constexpr IsaSet With(Isa isa) const { return IsaSet(bits_ | 1u << static_cast<int>(isa)); }
  constexpr uint32_t bits() const { return bits_; }
  constexpr bool operator==(const IsaSet&) const = default;

 private:
  uint32_t bits_ = 1;  // scalar is always there
};

const char* IsaName(Isa isa);  // "scalar", "avx2", "avxvnni", ...
bool ParseIsa(const char* name, Isa* isa);
IsaSet DetectIsas();                // what the CPU and the OS support
std::string IsaNames(IsaSet isas);  // "scalar,avx2"
// `available` limited to the named ISA and the older ones of its family it builds on. A name that is unknown or not
// available is an error: returns false and sets *error (names the ISA and lists what there is).
bool LimitIsas(const char* name, IsaSet available, IsaSet* isas, std::string* error);
// The same with the name in the environment variable AQ_ISA; all of `available` if that is unset or empty.
bool UsableIsas(IsaSet available, IsaSet* isas, std::string* error);
std::string CpuName();  // "Intel(R) Xeon(R) ...", or "unknown"

}  // namespace aq
