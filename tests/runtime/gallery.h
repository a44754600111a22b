// SPDX-License-Identifier: Apache-2.0
// The models the runtime's tests run: one or two per operator and variant, and a small network of many.
#pragma once

#include <string>
#include <vector>

#include "tests/runtime/model_builder.h"

namespace aq::test {

struct GalleryModel {
  std::string name;
  ModelBuilder builder;
};

std::vector<GalleryModel> Gallery();
ModelBuilder SmallNetwork();

// Random input codes in range, in the order of model.inputs.
std::vector<std::vector<int32_t>> RandomInputs(const schema::ModelT& model, uint32_t seed);

}  // namespace aq::test
