// SPDX-License-Identifier: Apache-2.0
// IntegerModel + metadata -> the bytes of an .aqm file. The container itself is the runtime's (runtime/container.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/integer_model.h"

namespace aq::converter {

struct CalibrationSummary {
  size_t images = 0;
  uint64_t pixel_hash = 0;
};

// What the file says about its making: aq.* keys and options.metadata. No times, no paths: same inputs, same bytes.
std::map<std::string, std::string> BuildMetadata(const Graph& graph, const ActivationPlan& plan,
                                                 const ConvertOptions& options, const CalibrationSummary& calibration);
// Fills model.segments and model.metadata (sorted by key) on the way.
std::vector<uint8_t> WriteModel(IntegerModel* integer, const std::map<std::string, std::string>& metadata);

}  // namespace aq::converter
