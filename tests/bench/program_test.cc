// SPDX-License-Identifier: Apache-2.0
// aq_bench as a process: each mode's JSON and its sums, and what it refuses. With as few runs as there can be.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/end_to_end/process.h"
#include "tools/exit_codes.h"

namespace aq::test {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kResnet18Macs = 1'814'073'344;

ProcessResult Bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), AQ_BENCH);
  return RunProcess(arguments, {});
}

// With one run of everything.
Json BenchJson(std::vector<std::string> arguments) {
  for (const char* flag : {"-o", "json", "-q", "--num-runs=1", "--min-secs=0", "--warmup-runs=0"}) {
    arguments.push_back(flag);
  }
  const ProcessResult result = Bench(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return Json::parse(result.out, nullptr, false);
}

bool HasModule(const std::string& name) {
  return ("," + std::string(AQ_BENCH_MODULES) + ",").find("," + name + ",") != std::string::npos;
}

std::set<std::string> Keys(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

TEST(Layers, JsonHasTheLayersTheirTotalAndNullForPeersNotAskedFor) {
  const Json json = BenchJson({"--layers", "resnet18", "--bits", "w4a4", "--border", "table"});
  EXPECT_EQ(Keys(json), (std::set<std::string>{"isa", "bits", "layers", "total", "ratio"}));
  EXPECT_EQ(json["bits"], "w4a4");
  ASSERT_EQ(json["layers"].size(), 12u);
  uint64_t macs = 0;
  double aq_ms = 0;
  for (const Json& layer : json["layers"]) {
    EXPECT_EQ(Keys(layer), (std::set<std::string>{"name", "count", "macs", "aq_ms", "xnnpack_ms", "onednn_ms"}));
    EXPECT_GT(layer["aq_ms"], 0) << layer;
    EXPECT_TRUE(layer["xnnpack_ms"].is_null() && layer["onednn_ms"].is_null()) << layer;
    macs += layer["count"].get<uint64_t>() * layer["macs"].get<uint64_t>();
    aq_ms += layer["count"].get<double>() * layer["aq_ms"].get<double>();
  }
  EXPECT_EQ(macs, kResnet18Macs);
  EXPECT_EQ(Keys(json["total"]), (std::set<std::string>{"aq_ms", "xnnpack_ms", "onednn_ms"}));
  EXPECT_NEAR(json["total"]["aq_ms"].get<double>(), aq_ms, 1e-3);
  EXPECT_EQ(json["ratio"], (Json{{"xnnpack", nullptr}, {"onednn", nullptr}}));
}

TEST(Layers, AFilterKeepsThoseWhoseNamesMatch) {
  const Json json = BenchJson({"--layers", "resnet18", "--bits", "w2a2", "--benchmark-filter", "1x1 64-|512-512"});
  ASSERT_EQ(json["layers"].size(), 2u);
  EXPECT_EQ(json["layers"][0]["name"], "conv 1x1 64-128 /2 @56");
  EXPECT_EQ(json["layers"][1]["name"], "conv 3x3 512-512 @7");
  for (const char* filter : {"no such layer", "("}) {
    const ProcessResult result = Bench({"--layers", "resnet18", "--benchmark-filter", filter});
    EXPECT_EQ(result.exit_code, tools::kExitUsage) << filter;
    EXPECT_NE(result.err.find(filter), std::string::npos) << result.err;
  }
}

class LayersAgainst : public testing::TestWithParam<std::string> {};

TEST_P(LayersAgainst, APeerGivesItsTimesAndTheRatioOfTheTotals) {
  const std::string name = GetParam(), key = name + "_ms";
  if (!HasModule(name)) GTEST_SKIP() << "this build is without " << name;
  const Json json = BenchJson({"--layers", "mobilenet_v2", "--bits", "w8a8", "--against", name});
  ASSERT_EQ(json["layers"].size(), 31u);
  double ms = 0;
  for (const Json& layer : json["layers"]) {
    EXPECT_GT(layer[key], 0) << layer;
    ms += layer["count"].get<double>() * layer[key].get<double>();
  }
  EXPECT_NEAR(json["total"][key].get<double>(), ms, 1e-3);
  EXPECT_NEAR(json["ratio"][name].get<double>(), ms / json["total"]["aq_ms"].get<double>(), 1e-3);
}

TEST_P(LayersAgainst, TheTableSaysWhichVersionAndIsaThePeerRan) {
  if (!HasModule(GetParam())) GTEST_SKIP() << "this build is without " << GetParam();
  const ProcessResult result = Bench({"--layers", "mobilenet_v2", "--isa", "scalar", "--against", GetParam(),
                                      "--num-runs=1", "--min-secs=0", "--warmup-runs=0"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find(" on scalar, borders nearest;"), std::string::npos) << result.out;
  const size_t line = result.out.find("\n" + GetParam() + ": ");
  ASSERT_NE(line, std::string::npos) << result.out;
  EXPECT_NE(result.out.find("sse", line), std::string::npos) << "neither has a scalar int8 path on x86";
  EXPECT_NE(result.out.find("| all conv |"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Peers, LayersAgainst, testing::Values("xnnpack", "onednn"),
                         [](const auto& info) { return info.param; });

TEST(Peak, JsonHasTheLimitsOfTheNamedIsa) {
  const Json json = BenchJson({"--peak", "--isa", "scalar"});
  ASSERT_EQ(json["peaks"].size(), 1u);
  EXPECT_EQ(json["peaks"][0]["isa"], "scalar");
  EXPECT_GT(json["peaks"][0]["gmac_per_s"], 0);
  ASSERT_EQ(json["reads"].size(), 3u);
  for (const Json& read : json["reads"]) EXPECT_GT(read["gb_per_s"], 0) << read;
}

TEST(Synthetic, NetworkIsMeasuredLikeAFileOncePerNumberOfThreads) {
  const Json json =
      BenchJson({"--synthetic", "mobilenet_v2", "--bits", "w4a4", "--num-threads", "1,2", "--op-profile"});
  ASSERT_TRUE(json.is_array());
  ASSERT_EQ(json.size(), 2u);
  for (const Json& run : json) {
    EXPECT_EQ(run["model"], "mobilenet_v2_w4a4");
    EXPECT_EQ(run["macs"], 300'774'272u);
    // 4-bit weights, 8-bit ones in the first and last layer, per-channel numbers and metadata.
    EXPECT_GT(run["file_bytes"], 2'375'000u);
    EXPECT_LT(run["file_bytes"], 2'750'000u);
    EXPECT_GT(run["peak_rss_bytes"], run["file_bytes"]);
    EXPECT_GT(run["load_ms"], 0);
    EXPECT_GT(run["median_cpu_ms"], 0);
    uint64_t macs = 0;
    for (const Json& op : run["ops"]) macs += op["macs"].get<uint64_t>();
    EXPECT_EQ(macs, 300'774'272u);
  }
  EXPECT_EQ(json[0]["num_threads"], 1);
  EXPECT_EQ(json[1]["num_threads"], 2);
}

TEST(Kernels, EveryRowOfTheTablesHasABenchmark) {
  if (!HasModule("kernels")) GTEST_SKIP() << "this build is without Google Benchmark";
  const ProcessResult result =
      Bench({"--kernels", "--isa=scalar", "--benchmark_filter=scalar", "--min-secs=0.0001", "-o", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out, nullptr, false);
  std::set<std::string> folders;
  for (const Json& benchmark : json["benchmarks"]) {
    const std::string name = benchmark["name"];
    const std::string folder = name.substr(0, name.find('/'));
    folders.insert(folder);
    EXPECT_GT(benchmark[folder == "rows" ? "Gcodes/s" : "GMAC/s"], 0) << name;
  }
  EXPECT_EQ(folders, (std::set<std::string>{"gemm", "depthwise", "rows"}));
  EXPECT_EQ(Bench({"--kernels", "--benchmark_filter=no_such_kernel"}).exit_code, tools::kExitUsage);
}

TEST(Flags, ThatMakeNoSenseAreUsageErrors) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--layers", "vgg"},
                                             {"--layers", "resnet18", "--bits", "w3a3"},
                                             {"--layers", "resnet18", "--against", "tflite"},
                                             {"--layers", "resnet18", "--border", "random"},
                                             {"--layers", "resnet18", "-o", "csv"},
                                             {"--layers", "resnet18", "--isa", "sse9"},
                                             {"--layers", "resnet18", "--peak"},
                                             {"--synthetic", "vgg"},
                                             {"--synthetic", "resnet18", "net.aqm"},
                                             {"--synthetic", "resnet18", "--against", "xnnpack"},
                                             {"--peak", "--isa", "sse9"},
                                             {"--peak", "-o", "gbench"},
                                             {"--peak", "--benchmark_filter=x"},
                                             {"net.aqm", "--num-threads", "1,x"},
                                             {"net.aqm", "--num-threads", "1,99"},
                                             {}}) {
    const ProcessResult result = Bench(arguments);
    EXPECT_EQ(result.exit_code, tools::kExitUsage) << testing::PrintToString(arguments) << result.err;
    EXPECT_EQ(result.out, "") << testing::PrintToString(arguments);
  }
}

TEST(Flags, HelpShowsAnExampleOfEachMode) {
  const ProcessResult help = Bench({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* example : {"aq_bench net.aqm ", "aq_bench --layers ", "aq_bench --synthetic ", "aq_bench --peak\n",
                              "aq_bench --kernels "}) {
    EXPECT_NE(help.out.find(example), std::string::npos) << example;
  }
}

}  // namespace
}  // namespace aq::test
