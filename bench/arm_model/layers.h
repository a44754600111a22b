// SPDX-License-Identifier: Apache-2.0
// The layers whose instructions are counted, and the marks for count_instructions.c. Shared by the two guests.
#pragma once

#include <sched.h>

#include <cstdint>
#include <cstdio>

struct Layer {
  const char* name;
  int size, in_c, out_c, kernel, stride, groups;  // square input of `size`, padded to keep it (or halve it)
  int out_size() const { return (size + stride - 1) / stride; }
  double macs() const { return double(out_size()) * out_size() * out_c * kernel * kernel * (in_c / groups); }
};

constexpr Layer kLayers[] = {
    {"first 7x7 s2, 3 to 64, 112x112", 112, 3, 64, 7, 2, 1}, {"3x3, 64 to 64, 28x28", 28, 64, 64, 3, 1, 1},
    {"3x3, 256 to 256, 14x14", 14, 256, 256, 3, 1, 1},       {"1x1, 128 to 256, 14x14", 14, 128, 256, 1, 1, 1},
    {"depthwise 3x3, 96, 28x28", 28, 96, 96, 3, 1, 96},
};

// f() between two marks, after its line "who|bits|layer|kernel|MACs".
template <class F>
void Count(const char* who, const char* bits, const Layer& layer, const char* kernel, F&& f) {
  std::printf("%s|%s|%s|%s|%.0f\n", who, bits, layer.name, kernel, layer.macs());
  sched_yield();
  f();
  sched_yield();
}
