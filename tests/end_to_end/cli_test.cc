// SPDX-License-Identifier: Apache-2.0
// Manners of `aq` and `aq_bench` that need no model: help, exit codes, flags, no partial output.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/end_to_end/process.h"
#include "tests/end_to_end/test_files.h"

namespace aq::test {
namespace {

ProcessResult Aq(std::vector<std::string> arguments, const Environment& environment) {
  arguments.insert(arguments.begin(), std::string(AQ_BIN) + "/aq");
  return RunProcess(arguments, environment);
}
ProcessResult Aq(const std::vector<std::string>& arguments) { return Aq(arguments, {}); }

TEST(Help, OfEveryCommandShowsAnExampleAndTheExitCodes) {
  std::vector<std::string> commands = {"eval", "run", "inspect", "cpu", "version"};
#ifdef AQ_HAVE_CONVERTER
  commands.insert(commands.end(), {"check", "convert"});
#endif
  const ProcessResult top = Aq({"--help"});
  EXPECT_EQ(top.exit_code, 0);
  EXPECT_NE(top.out.find("Exit codes:"), std::string::npos);
  for (const std::string& command : commands) {
    EXPECT_NE(top.out.find(command), std::string::npos) << command;
    const ProcessResult result = Aq({command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_NE(result.out.find("Example:\n"), std::string::npos) << command << "\n" << result.out;
    EXPECT_NE(result.out.find("Exit codes:"), std::string::npos) << command;
    EXPECT_EQ(result.err, "") << command;
  }
}

TEST(Usage, MistakesExitTwo) {
  const std::vector<std::vector<std::string>> mistakes = {{},
                                                          {"frobnicate"},
                                                          {"inspect"},
                                                          {"inspect", "a", "--no-such-flag"},
                                                          {"inspect", "a", "-o", "yaml"},
                                                          {"run", "a.aqm"},
                                                          {"run", "a.aqm", "--image", "x", "--input", "y"},
                                                          {"run", "a.aqm", "--image", "x", "--top", "0"},
                                                          {"eval", "a.aqm"},
                                                          {"eval", "a.aqm", "--data", "nonsense:x"},
                                                          {"eval", "a.aqm", "--data", "cifar10:x", "--threads", "0"}};
  for (const std::vector<std::string>& arguments : mistakes) {
    const ProcessResult result = Aq(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(arguments) << result.err;
    EXPECT_NE(result.err, "") << ::testing::PrintToString(arguments);
    EXPECT_EQ(result.out, "") << ::testing::PrintToString(arguments);
  }
}

TEST(Files, MissingOrNotAModelExitFour) {
  const TemporaryFolder folder;
  const std::string junk = folder.Write("junk.aqm", Pattern(5000, 1));
  const std::string empty = folder.Write("empty.aqm", Bytes());
  for (const std::string& path : {junk, empty, folder.Path("missing.aqm"), folder.Path(".")}) {
    const ProcessResult result = Aq({"inspect", path});
    EXPECT_EQ(result.exit_code, 4) << path << result.err;
    EXPECT_NE(result.err.find(path), std::string::npos) << result.err;
  }
}

TEST(Flags, UnderscoresEqualsSignsAndEnvironmentAreTheSame) {
  const TemporaryFolder folder;
  const std::string junk = folder.Write("junk.aqm", Pattern(100, 1));
  const std::string data = "cifar10:" + folder.Write("x.bin", Bytes(3073, 0));
  EXPECT_EQ(Aq({"eval", junk, "--data", data, "--session_threads=2"}).exit_code, 4);
  EXPECT_EQ(Aq({"eval", junk, "--data=" + data, "--session-threads", "2"}).exit_code, 4);
  EXPECT_EQ(Aq({"eval", junk}, {"AQ_DATA=" + data}).exit_code, 4);
  EXPECT_EQ(Aq({"eval", junk}, {"AQ_DATA=" + data, "AQ_SESSION_THREADS=x"}).exit_code, 2);
}

TEST(Cpu, NamesFoundAndUsedSets) {
  const ProcessResult result = Aq({"cpu"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("found:"), std::string::npos);
  EXPECT_NE(result.out.find("scalar"), std::string::npos);
  const ProcessResult forced = Aq({"cpu"}, {"AQ_ISA=scalar"});
  EXPECT_EQ(forced.exit_code, 0);
  EXPECT_NE(forced.out.find("used:     scalar"), std::string::npos) << forced.out;
  EXPECT_EQ(Aq({"cpu"}, {"AQ_ISA=z80"}).exit_code, 2);
}

TEST(Version, NamesProgramAndFormat) {
  const ProcessResult result = Aq({"version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.out.starts_with("aq ")) << result.out;
  EXPECT_NE(result.out.find("AQM1"), std::string::npos);
  EXPECT_EQ(Aq({"--version"}).exit_code, 0);
}

#ifdef AQ_HAVE_CONVERTER
TEST(Convert, MistakesExitTwoAndBadFilesFourWithoutOutput) {
  const TemporaryFolder folder;
  const std::string junk = folder.Write("junk.onnx", Pattern(5000, 1));
  const std::string data = "cifar10:" + folder.Write("x.bin", Bytes(3073, 0));
  const std::string output = folder.Path("out.aqm");
  const std::vector<std::string> base = {"convert", junk, "-o", output, "--calib", data};
  EXPECT_EQ(Aq({"convert", junk}).exit_code, 2);
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--edges", "x"}, {"--rounding", "border"}, {"--ranges", "x"}, {"--preset", "x"}, {"--threads", "0"}}) {
    std::vector<std::string> arguments = base;
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_EQ(Aq(arguments).exit_code, 2) << flags[0];
  }
  EXPECT_EQ(Aq({"convert", junk, "-o", junk, "--calib", data}).exit_code, 2) << "output is the input";
  EXPECT_EQ(ReadBytes(junk).size(), 5000u);
  EXPECT_EQ(Aq(base).exit_code, 4);
  EXPECT_EQ(Aq({"check", junk}).exit_code, 4);
  EXPECT_EQ(Aq({"check", folder.Path("missing.onnx")}).exit_code, 4);
  EXPECT_FALSE(std::filesystem::exists(output));
  EXPECT_EQ(Aq({"convert", junk, "-o", folder.Path("no/such/folder.aqm"), "--calib", data}).exit_code, 4);
}
#endif

#ifdef AQ_HAVE_BENCH
TEST(Bench, HasHelpAndTheSameExitCodes) {
  const std::string bench = std::string(AQ_BIN) + "/aq_bench";
  const ProcessResult help = RunProcess({bench, "--help"}, {});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("Examples:\n"), std::string::npos);
  EXPECT_EQ(RunProcess({bench}, {}).exit_code, 2);
  EXPECT_EQ(RunProcess({bench, "x.aqm", "--num_runs=0"}, {}).exit_code, 2);
  EXPECT_EQ(RunProcess({bench, "/nowhere/x.aqm"}, {}).exit_code, 4);
}
#endif

}  // namespace
}  // namespace aq::test
