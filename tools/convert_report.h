// SPDX-License-Identifier: Apache-2.0
// The converter's report as people and programs read it. Converter builds only.
#pragma once

#include <string>

#include "converter/convert.h"

namespace aq::tools {

// Two lines; the second is "bit-exact: T tensors x N images, D differences".
std::string ReportSummary(const std::string& path, const converter::ConvertOptions& options,
                          const converter::ConvertReport& report);
std::string ReportTable(const converter::ConvertReport& report);  // one line per layer
std::string ReportJson(const std::string& path, const converter::ConvertReport& report);

}  // namespace aq::tools
