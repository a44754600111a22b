// SPDX-License-Identifier: Apache-2.0
// The one place that formats error messages.
#include "runtime/status.h"

#include <cstdarg>
#include <cstdio>

namespace aq {

Status Error(Code code, const char* format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return Status(code, message);
}

}  // namespace aq
