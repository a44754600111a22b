// SPDX-License-Identifier: Apache-2.0
// The learned part of an activation quantiser: step and border parameters, and their snapping to the integers that the
// runtime executes (kernels/numerics.h). fake_quantize.h trains them; export reads GridOf().
#pragma once

#include <cstdint>
#include <vector>

#include "converter/training/tape.h"
#include "kernels/numerics.h"

namespace aq::converter::training {

// algorithms.md 1.4. A border B(u) replaces 1/2: code = floor(u) + (frac(u) >= B(u)), u = x / step + zero point.
enum class BorderClass {
  kNone,           // 1/2
  kAffine,         // b0 + b1 u / Q per tensor; executed as a changed multiplier and offset (Theorem 2)
  kAffineChannel,  // the same per channel
  kFree,           // one threshold per level (bits <= 4) or per 16th of the range
  kFreeChannel,    // the same per channel; the runtime has it for 2 bits only
};

struct ActivationQuantizer {
  int bits = 8;
  int zero_point = 0;  // in [0, 2^bits - 1]
  BorderClass border_class = BorderClass::kNone;
  int64_t channels = 1;  // of the tensor (dimension 1); 1 for per-tensor classes
  Parameter step;        // {1}
  Parameter border;      // {channels, Entries()}: affine {b0, b1}, free {tau_0 ...}; empty for kNone

  bool is_affine() const { return border_class == BorderClass::kAffine || border_class == BorderClass::kAffineChannel; }
  bool is_free() const { return border_class == BorderClass::kFree || border_class == BorderClass::kFreeChannel; }
  int entries() const { return is_affine() ? 2 : !is_free() ? 0 : bits <= 4 ? MaxLevel(bits) : kBorderEntries; }
};

// Starts at rounding to nearest. tensor_channels is used by the per-channel classes only.
ActivationQuantizer MakeActivationQuantizer(int bits, int zero_point, float step, BorderClass border_class,
                                            int64_t tensor_channels);

// One channel as the runtime sees it: v = floor(x * scale) + offset, clamped to [0, Q << 8], then
// code = level + (frac > border[level >> BorderShift(bits)]). gain = scale * step / 256 (1 unless affine).
struct Grid {
  float scale = 1, gain = 1;
  int32_t offset = 0;
  int32_t border[kBorderEntries] = {};
};
Grid GridOf(const ActivationQuantizer& quantizer, int64_t channel);

// Back into the allowed set after an optimiser's step: step > 0, tau in [1/256, 1], and code(0) = zero point (zero
// padding and exact zeros stay exact) for the affine classes.
void Project(ActivationQuantizer* quantizer);

}  // namespace aq::converter::training
