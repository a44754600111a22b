// SPDX-License-Identifier: Apache-2.0
// A real network and real images through the programs: convert, evaluate, benchmark. One output hash on every
// instruction set and thread count; the same file whatever the threads.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/include/aq/aq.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/test_files.h"

namespace aq::test {
namespace {

// Sanitizers make an image ten times as slow, and memory errors do not wait for the fiftieth.
#if defined(__SANITIZE_ADDRESS__)
constexpr const char* kImages = "10";
#else
constexpr const char* kImages = "50";
#endif

using nlohmann::json;

const char* const kNoData = "needs the development data (AQ_DATA)";

ProcessResult Aq(std::vector<std::string> arguments, const Environment& environment) {
  arguments.insert(arguments.begin(), std::string(AQ_BIN) + "/aq");
  return RunProcess(arguments, environment);
}

// Converted once for all tests of this process.
struct Fixture {
  TemporaryFolder folder;
  std::string data = DataFolder(AQ_SOURCE_DIR);
  std::string onnx = data + "/models/cifar10/resnet20_cifar10.onnx";
  std::string test_images = "cifar10:" + data + "/cifar10/test_5000.bin";
  std::string model = folder.Path("resnet20.aqm");
  ProcessResult conversion;

  std::vector<std::string> Convert(const std::string& output, const std::string& threads) const {
    return {"convert",       onnx,      "-o",        output, "--calib",  "cifar10:" + data + "/cifar10/calib_2000.bin",
            "--calib-count", "64",      "--recipe",  "w4a4", "--preset", "imagenet",
            "--rounding",    "nearest", "--threads", threads};
  }
  Fixture() {
    if (!data.empty()) conversion = Aq(Convert(model, "2"), {});
  }
  ProcessResult Eval(const std::vector<std::string>& flags, const Environment& environment) const {
    std::vector<std::string> arguments = {"eval", model, "--data", test_images, "--limit", kImages, "-o", "json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return Aq(arguments, environment);
  }
};

const Fixture& Shared() {
  static const Fixture fixture;
  return fixture;
}

// gtest_discover_tests gives each test a process of its own; they are one test so that it converts once.
TEST(ResNet20, IsBitExactOnEveryInstructionSetAndThreadCount) {
  const Fixture& fixture = Shared();
  if (fixture.data.empty()) GTEST_SKIP() << kNoData;
  ASSERT_EQ(fixture.conversion.exit_code, 0) << fixture.conversion.err;
  EXPECT_NE(fixture.conversion.out.find("bit-exact: "), std::string::npos) << fixture.conversion.out;
  EXPECT_NE(fixture.conversion.out.find(" x 32 images, 0 differences\n"), std::string::npos) << fixture.conversion.out;

  const ProcessResult first = fixture.Eval({"--threads", "2"}, {});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const json expected = json::parse(first.out);
  EXPECT_EQ(expected.size(), 5u) << "exactly model, images, top1, top5, output_hash";
  EXPECT_EQ(expected.at("images"), std::stoi(kImages));
  EXPECT_GT(expected.at("top1"), 50);
  EXPECT_GE(expected.at("top5"), expected.at("top1"));
  EXPECT_EQ(expected.at("output_hash").get<std::string>().size(), 16u);

  const std::string usable = aq_isa_usable();
  for (const std::string isa : {"scalar", "avx2", "avxvnni"}) {
    if (("," + usable + ",").find("," + isa + ",") == std::string::npos) {
      std::printf("skipped: needs %s\n", isa.c_str());
      continue;
    }
    for (const std::string threads : {"1", "2"}) {
      const ProcessResult result = fixture.Eval({"--threads", "1", "--session-threads", threads}, {"AQ_ISA=" + isa});
      ASSERT_EQ(result.exit_code, 0) << isa << result.err;
      EXPECT_EQ(json::parse(result.out), expected) << isa << " " << threads;
    }
    for (const std::string technique : {"direct", "winograd"}) {
      const ProcessResult result = fixture.Eval({}, {"AQ_ISA=" + isa, "AQ_KERNEL=" + technique});
      ASSERT_EQ(result.exit_code, 0) << technique << result.err;
      EXPECT_EQ(json::parse(result.out), expected) << isa << " " << technique;
      const ProcessResult plan = Aq({"inspect", fixture.model, "--plan"}, {"AQ_ISA=" + isa, "AQ_KERNEL=" + technique});
      const bool is_winograd = technique == "winograd" && isa != "scalar";
      EXPECT_EQ(plan.out.find("_winograd_2x2 ") != std::string::npos, is_winograd) << plan.out;
      EXPECT_NE(plan.out.find("direct 1.00"), std::string::npos) << plan.out;
    }
  }
  const ProcessResult unknown = fixture.Eval({}, {"AQ_KERNEL=fast"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("\"fast\" is unknown, expected direct, lut or winograd"), std::string::npos)
      << unknown.err;
}

TEST(ResNet20, CommandsAgreeOnAConvertedFile) {
  const Fixture& fixture = Shared();
  if (fixture.data.empty()) GTEST_SKIP() << kNoData;
  ASSERT_EQ(fixture.conversion.exit_code, 0) << fixture.conversion.err;

  // The same bytes from one thread.
  const std::string again = fixture.folder.Path("again.aqm");
  ASSERT_EQ(Aq(fixture.Convert(again, "1"), {}).exit_code, 0);
  EXPECT_EQ(ReadBytes(again), ReadBytes(fixture.model)) << "the file depends on the thread count";

  const ProcessResult against = fixture.Eval({"--against", fixture.onnx}, {});
  ASSERT_EQ(against.exit_code, 0) << against.err;
  EXPECT_GT(json::parse(against.out).at("agreement"), 50);
  const ProcessResult itself = fixture.Eval({"--against", again}, {});
  EXPECT_EQ(json::parse(itself.out).at("agreement"), 100);

  const ProcessResult inspect = Aq({"inspect", fixture.model, "-o", "json", "--verify"}, {});
  EXPECT_EQ(inspect.exit_code, 0) << inspect.err;
  EXPECT_TRUE(json::accept(inspect.out)) << inspect.out.substr(0, 200);

  const ProcessResult run =
      Aq({"run", fixture.model, "--input",
          fixture.folder.Write("x.npy", Npy("|u1", "(1, 32, 32, 3)", Pattern(3072, 3))), "--top", "3"},
         {});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 3) << run.out;

  // An image of another size names both.
  const ProcessResult wrong = Aq(
      {"run", fixture.model, "--input", fixture.folder.Write("w.npy", Npy("|u1", "(1, 28, 28, 3)", Pattern(2352, 3)))},
      {});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("28x28x3"), std::string::npos) << wrong.err;
  EXPECT_NE(wrong.err.find("32x32x3"), std::string::npos) << wrong.err;

  // Into a folder that is not there, over a file that is: no half file, the old one untouched.
  EXPECT_EQ(Aq(fixture.Convert(fixture.folder.Path("none/x.aqm"), "1"), {}).exit_code, 4);
}

#ifdef AQ_HAVE_BENCH
TEST(ResNet20, BenchReportsEveryFormat) {
  const Fixture& fixture = Shared();
  if (fixture.data.empty()) GTEST_SKIP() << kNoData;
  ASSERT_EQ(fixture.conversion.exit_code, 0) << fixture.conversion.err;
  for (const std::string format : {"md", "csv", "json", "gbench"}) {
    const ProcessResult result = RunProcess({std::string(AQ_BIN) + "/aq_bench", fixture.model, "--num_runs=5",
                                             "--min-secs", "0", "--warmup-min-secs=0", "--op-profile", "-o", format},
                                            {});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.err.find("aq_bench "), std::string::npos) << "context belongs on stderr";
    if (format == "json") {
      const json report = json::parse(result.out);
      EXPECT_EQ(report.at("samples_ns").size(), 5u);
      EXPECT_GE(report.at("mean_ms"), report.at("min_ms"));
      EXPECT_GT(report.at("macs"), 40'000'000) << "ResNet-20 has 41 million";
      EXPECT_FALSE(report.at("ops").empty());
    } else if (format == "gbench") {
      EXPECT_EQ(json::parse(result.out).at("benchmarks").at(0).at("time_unit"), "ms");
    } else {
      EXPECT_NE(result.out.find("kernel"), std::string::npos) << result.out;
    }
  }
}
#endif

}  // namespace
}  // namespace aq::test
