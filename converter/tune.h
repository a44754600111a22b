// SPDX-License-Identifier: Apache-2.0
// End-to-end tuning: the whole quantised network is distilled from the float network on augmented calibration images,
// after reconstruct.h has learned it unit by unit. Moves weight levels and scales, biases, activation steps and
// borders. Called by reconstruct.cc.
#pragma once

#include <cstdint>

#include "converter/convert.h"
#include "converter/unit_network.h"
#include "runtime/status.h"

namespace aq::converter {

// images [count][c, h, w]: the network's float input.
// Every eighth is held back: if the tuned network is no closer to the float one there, it is put back as it was and
// tuned once more, slower; and put back again if that did not help either. Same inputs and options -> same result.
Status Tune(const Graph& graph, const float* images, int64_t count, const ConvertOptions& options,
            const Progress& progress, UnitNetwork* network, TuneReport* report);

}  // namespace aq::converter
