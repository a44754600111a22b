// SPDX-License-Identifier: Apache-2.0
// Exit codes of `aq` and `aq_bench`: one table from Code to process exit status, and the text --help shows.
#pragma once

#include "runtime/status.h"

namespace aq::tools {

enum ExitCode : int {
  kExitOk = 0,
  kExitInternal = 1,
  kExitUsage = 2,
  kExitUnsupported = 3,
  kExitBadFile = 4,
  kExitQuality = 5,
  kExitPerformance = 6,
  kExitInterrupted = 130,
};

inline constexpr char kExitCodeHelp[] =
    "Exit codes: 0 ok, 1 internal failure, 2 usage, 3 unsupported model, 4 invalid, corrupt or unreadable file,\n"
    "            5 quality gate failed, 6 performance gate failed, 130 interrupted";

struct ExitCodeRow {
  Code code;
  ExitCode exit;
};
inline constexpr ExitCodeRow kExitCodes[] = {
    {Code::kOk, kExitOk},
    {Code::kInvalidArgument, kExitUsage},
    {Code::kOutOfMemory, kExitInternal},
    {Code::kInvalidState, kExitInternal},
    {Code::kUnsupported, kExitUnsupported},
    {Code::kNotFound, kExitBadFile},
    {Code::kIo, kExitBadFile},
    {Code::kCorrupt, kExitBadFile},
    {Code::kVersion, kExitBadFile},
    {Code::kLimit, kExitBadFile},
    {Code::kCancelled, kExitInterrupted},
    {Code::kQuality, kExitQuality},
    {Code::kInternal, kExitInternal},
};

constexpr int ExitCodeOf(Code code) {
  for (const ExitCodeRow& row : kExitCodes) {
    if (row.code == code) return row.exit;
  }
  return kExitInternal;
}

}  // namespace aq::tools
