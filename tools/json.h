// SPDX-License-Identifier: Apache-2.0
// Quotes a string for JSON. The tools print small fixed objects; nothing here parses.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace aq::tools {

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
