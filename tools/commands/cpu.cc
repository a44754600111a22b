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

// "avx2" as a whole word of a list like "isa scalar,avx2,avxvnni, commit".
bool Lists(const std::string& text, const std::string& name) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    const bool begins = at == 0 || text[at - 1] == ',' || text[at - 1] == ' ';
    if (begins && (end == text.size() || text[end] == ',')) return true;
  }
  return false;
}

// The newest usable set this build has kernels for; empty if AQ_ISA names none (aq_isa_usable is a message then).
std::string UsedIsa(const std::string& usable) {
  std::string used;
  for (const std::string& name : Split(usable, ',')) {
    if (!Lists(aq_isa_detected(), name)) return {};
    if (Lists(aq_build_info(), name)) used = name;
  }
  return used;
}

int PrintCpu() {
  const std::string usable = aq_isa_usable();
  const std::string used = UsedIsa(usable);
  if (used.empty()) return Fail(Error(Code::kInvalidArgument, "%s", usable.c_str()));
  const char* forced = std::getenv("AQ_ISA");
  std::printf("cpu:      %s\nfound:    %s\nusable:   %s\nused:     %s\n", aq_cpu_name(), aq_isa_detected(), usable.c_str(),
              used.c_str());
  if (forced != nullptr) std::printf("AQ_ISA:   %s\n", forced);
  return kExitOk;
}

}  // namespace

Run AddCpu(CLI::App*, const CommonFlags*) { return PrintCpu; }

}  // namespace aq::tools
