// SPDX-License-Identifier: Apache-2.0
// Real scale ratios -> the integer multipliers of numerics.h, and the proof that a layer's numbers fit its kernels.
#pragma once

#include <cstdint>

#include "converter/integer_model.h"
#include "runtime/status.h"

namespace aq::converter {

// ratio (input scale / output scale, > 0) -> multiplier in [2^30, 2^31) and shift such that
// ratio * 2^8 ~= multiplier * 2^-(31 + shift). False if the shift leaves [kMinShift, kMaxShift].
bool QuantizeMultiplier(double ratio, int32_t* multiplier, int8_t* shift);
// ratio -> Q.12. False beyond 2^21.
bool QuantizeRatio(double ratio, int32_t* ratio_q12);

// Checks every op: accumulators of all inputs the codes allow stay below 2^31, and so does every shifted and scaled
// intermediate (ScalingFits). kLimit names op, channel and both numbers.
Status ProveRanges(const IntegerModel& integer);
Status ProveOpRanges(const IntegerModel& integer, const schema::OpT& op);

}  // namespace aq::converter
