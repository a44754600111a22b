// SPDX-License-Identifier: Apache-2.0
// `aq cpu`: the processor's instruction sets, and those the runtime may use under the present AQ_ISA.
#include <cstdio>
#include <cstdlib>

#include "runtime/include/aq/aq.h"
#include "tools/commands/commands.h"
#include "tools/exit_codes.h"
#include "tools/file.h"

namespace aq::tools {
namespace {

int PrintCpu() {
  const std::string usable = aq_isa_usable();
  const char* forced = std::getenv("AQ_ISA");
  if (usable.empty()) {
    return Fail(Error(Code::kInvalidArgument, "AQ_ISA=%s is not available here; found: %s", forced, aq_isa_detected()));
  }
  std::printf("cpu:      %s\nfound:    %s\nusable:   %s\nused:     %s\n", aq_cpu_name(), aq_isa_detected(),
              usable.c_str(), Split(usable, ',').back().c_str());
  if (forced != nullptr) std::printf("AQ_ISA:   %s\n", forced);
  return kExitOk;
}

}  // namespace

Run AddCpu(CLI::App*, const CommonFlags*) { return PrintCpu; }

}  // namespace aq::tools
