// SPDX-License-Identifier: Apache-2.0
// Output shape of a node from its inputs' shapes: one function for the importer (makes shapes) and Validate (checks).
#pragma once

#include <string>
#include <vector>

#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

// Extent of a convolution or pooling output along one dimension; <= 0 when the window does not fit.
int64_t WindowExtent(int64_t in, int64_t pad_before, int64_t pad_after, int64_t kernel, int64_t dilation,
                     int64_t stride);
// `declared` is the output's shape where the attributes do not fix it (Reshape, Slice). Also checks that the attributes
// fit the inputs: weight counts, ranks, ranges, batch stays first. kInvalidArgument with both numbers.
Result<Shape> InferShape(const Attributes& attributes, const std::vector<Shape>& inputs, const Shape& declared);
std::string ShapeText(const Shape& shape);  // "[1, 3, 32, 32]"

}  // namespace aq::converter
