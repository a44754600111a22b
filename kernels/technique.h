// SPDX-License-Identifier: Apache-2.0
// The ways to compute a layer with weights. All give the same bits; a session takes the cheapest that applies.
#pragma once

#include <cstdint>
#include <cstring>

namespace aq {

enum class Technique : uint8_t { kDirect, kLookup, kWinograd };
inline constexpr int kTechniqueCount = 3;
inline constexpr const char* kTechniqueNames[kTechniqueCount] = {"direct", "lut", "winograd"};

// False if there is no such technique.
inline bool ParseTechnique(const char* name, Technique* technique) {
  for (int i = 0; i < kTechniqueCount; ++i) {
    if (std::strcmp(name, kTechniqueNames[i]) != 0) continue;
    *technique = static_cast<Technique>(i);
    return true;
  }
  return false;
}

}  // namespace aq
