// SPDX-License-Identifier: Apache-2.0
// A synthetic network as a file in memory, to be loaded by its path like any other. Another process builds it: the
// builder's memory is several times the file's and must not count as the runtime's.
#pragma once

#include <string>

#include "bench/synthetic.h"
#include "runtime/status.h"

namespace aq::bench {

// The path is valid while this process lives.
Result<std::string> WriteSyntheticFile(const Network& network, const SyntheticOptions& options);

}  // namespace aq::bench
