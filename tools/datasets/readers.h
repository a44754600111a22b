// SPDX-License-Identifier: Apache-2.0
// The dataset readers, one per file in this folder. Each takes the arguments after "prefix:", split at commas.
// Only dataset.cc (the table) and tests call these.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/dataset.h"

namespace aq::tools {

using Arguments = std::vector<std::string>;

Result<std::unique_ptr<Dataset>> OpenCifar10(const Arguments& arguments);
Result<std::unique_ptr<Dataset>> OpenIdx(const Arguments& arguments);
Result<std::unique_ptr<Dataset>> OpenImages(const Arguments& arguments);
Result<std::unique_ptr<Dataset>> OpenNpy(const Arguments& arguments);
Result<std::unique_ptr<Dataset>> OpenRaw(const Arguments& arguments);

}  // namespace aq::tools
