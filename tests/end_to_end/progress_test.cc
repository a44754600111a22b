// SPDX-License-Identifier: Apache-2.0
// What reaches stderr, and what does not.
#include "tools/progress.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

namespace aq::tools {
namespace {

std::string Output(ProgressMode mode, bool is_terminal) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  {
    Progress progress(mode, file, is_terminal);
    for (size_t i = 1; i <= 100; ++i) progress.Update("calibrate", i, 100);
  }
  std::fclose(file);
  const std::string output(text, size);
  std::free(text);
  return output;
}

TEST(Progress, QuickLoopsAreSilent) {
  EXPECT_EQ(Output(ProgressMode::kAuto, true), "");
  EXPECT_EQ(Output(ProgressMode::kAuto, false), "");
  EXPECT_EQ(Output(ProgressMode::kNone, true), "");
}

TEST(Progress, JsonEndsWithTheLastItem) {
  const std::string output = Output(ProgressMode::kJson, false);
  EXPECT_NE(output.find("{\"stage\":\"calibrate\",\"done\":100,\"total\":100,"), std::string::npos) << output;
  EXPECT_TRUE(output.ends_with("}\n"));
}

}  // namespace
}  // namespace aq::tools
