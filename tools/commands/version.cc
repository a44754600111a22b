// SPDX-License-Identifier: Apache-2.0
// `aq version`: program, C interface, file format, build.
#include <cstdio>

#include "runtime/include/aq/aq.h"
#include "tools/commands/commands.h"
#include "tools/exit_codes.h"

namespace aq::tools {
namespace {

int PrintVersion() {
  std::printf("aq %s\nabi:      %u\nformat:   AQM1, revision %u\nbuild:    %s\n", aq_version(), aq_abi_version(),
              aq_format_version(), aq_build_info());
#ifdef AQ_HAVE_CONVERTER
  std::printf("onnx:     opset 9 to 21\n");
#else
  std::printf("onnx:     not in this build\n");
#endif
  return kExitOk;
}

}  // namespace

Run AddVersion(CLI::App*, const CommonFlags*) { return PrintVersion; }

}  // namespace aq::tools
