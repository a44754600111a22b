// SPDX-License-Identifier: Apache-2.0
// Parts of aq_bench that need big libraries (peers, Google Benchmark) are modules beside it, loaded when a flag asks
// for them: their libraries must not show up in the memory it measures, and a build without them loses nothing else.
#pragma once

#include <string>

#include "runtime/status.h"

namespace aq::bench {

// The function `symbol` of aq_bench_<name>.so; kUnsupported: not in this build.
Result<void*> LoadFunction(const std::string& name, const char* symbol);

}  // namespace aq::bench
