// SPDX-License-Identifier: Apache-2.0
// Compile-time loops for register arrays, and the inlining macros of kernel code. Included by every ISA header.
// Kernel objects are built with -mavx2 and the like, so they must not emit weak symbols that the linker could hand to
// baseline code: everything is in an anonymous namespace and nothing of std:: is called.
#pragma once

#include <utility>

#define AQ_INLINE inline __attribute__((always_inline))
#define AQ_LAMBDA __attribute__((always_inline))

namespace aq {
namespace {

// std::integral_constant would do, but its conversion is a weak symbol in unoptimised builds.
template <int kI>
struct Index {
  static constexpr int kValue = kI;
  AQ_INLINE constexpr operator int() const { return kI; }  // NOLINT: implicit on purpose
};

template <class F, int... kI>
AQ_INLINE void UnrollImpl(F&& f, std::integer_sequence<int, kI...>) {
  (f(Index<kI>()), ...);
}

// f(0) ... f(kN - 1) with compile-time indices: register arrays stay in registers on every compiler.
template <int kN, class F>
AQ_INLINE void Unroll(F&& f) {
  UnrollImpl(f, std::make_integer_sequence<int, kN>());
}

// The same pointer, of which the compiler knows nothing: what it points to is memory and not registers to be shuffled.
template <class T>
AQ_INLINE T* Opaque(T* p) {
  __asm__("" : "+r"(p) : : "memory");
  return p;
}

}  // namespace
}  // namespace aq
