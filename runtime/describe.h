// SPDX-License-Identifier: Apache-2.0
// A model as text for people (`aq inspect`) or as JSON for programs.
#pragma once

#include <string>

#include "runtime/model.h"

namespace aq {

std::string DescribeText(const Model& model);
std::string DescribeJson(const Model& model);

}  // namespace aq
