// SPDX-License-Identifier: Apache-2.0
// Text of the tools' results: printf into a string, and strings quoted for JSON. The tools print small fixed objects;
// nothing here parses.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

namespace aq::tools {

// For numbers and short fixed words; what does not fit 1 KiB is cut off. Names of files and layers are added with +.
[[gnu::format(printf, 1, 2)]] inline std::string Format(const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

inline std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace aq::tools
