// SPDX-License-Identifier: Apache-2.0
// An independent execution of a model: plain loops over the object API and numerics.h, no runtime code, no kernels.
// The operators' tests take every expected value from here.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/runtime/model_builder.h"

namespace aq::test {

using Codes = std::vector<int32_t>;

// All tensors of the model, by index. `inputs` in the order of model.inputs.
std::vector<Codes> RunReference(const schema::ModelT& model, const std::vector<Bytes>& segments,
                                const std::vector<Codes>& inputs);

}  // namespace aq::test
