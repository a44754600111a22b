// SPDX-License-Identifier: Apache-2.0
// Checkpoints of reconstruction: what they hold, hostile bytes, and conversions that continue from one.
#include "converter/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/crc32c.h"
#include "tests/converter/quantized_graphs.h"

namespace aq::converter {
namespace {

Checkpoint Example() {
  Checkpoint checkpoint;
  checkpoint.fingerprint = std::string(64, 'f');
  checkpoint.units = {{"stem", "stem", false, 0.5, 0.25, 1.5}, {"a1", "a2", true, 3, 2, 1}};
  checkpoint.order = {2, 0, 1};
  checkpoint.parameters["value 3 bits 2 step"] = {false, {0.125f}};
  checkpoint.parameters["layer 1 alpha"] = {true, {1, -2, 3}};
  return checkpoint;
}

void Seal(std::vector<uint8_t>* bytes) {
  const uint32_t checksum = Crc32c(std::span(*bytes).first(bytes->size() - 4));
  std::memcpy(bytes->data() + bytes->size() - 4, &checksum, 4);
}

TEST(Checkpoint, ReadsBackWhatWasWritten) {
  const auto read = ParseCheckpoint(SerializeCheckpoint(Example()));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->fingerprint, std::string(64, 'f'));
  ASSERT_EQ(read->units.size(), 2u);
  EXPECT_EQ(read->units[1].last, "a2");
  EXPECT_TRUE(read->units[1].is_trained);
  EXPECT_EQ(read->units[0].loss_after, 0.25);
  EXPECT_EQ(read->order, (std::vector<int64_t>{2, 0, 1}));
  ASSERT_EQ(read->parameters.size(), 2u);
  EXPECT_FALSE(read->parameters.at("value 3 bits 2 step").is_trained);
  EXPECT_EQ(read->parameters.at("layer 1 alpha").values, (std::vector<float>{1, -2, 3}));
}

TEST(Checkpoint, RefusesEveryCutAndEveryChangedByte) {
  const std::vector<uint8_t> whole = SerializeCheckpoint(Example());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(ParseCheckpoint(std::span(whole).first(size)).ok()) << size;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::vector<uint8_t> changed = whole;
    changed[i] = static_cast<uint8_t>(changed[i] ^ 0x40);
    EXPECT_FALSE(ParseCheckpoint(changed).ok()) << i;
  }
}

// Somebody who recomputes the checksum reaches the lengths.
TEST(Checkpoint, SurvivesHostileLengths) {
  const std::vector<uint8_t> whole = SerializeCheckpoint(Example());
  for (size_t i = 8; i + 4 < whole.size(); ++i) {
    for (const uint8_t value : std::initializer_list<uint8_t>{0x00, 0x01, 0x7f, 0xff}) {
      std::vector<uint8_t> changed = whole;
      changed[i] = value;
      Seal(&changed);
      const auto read = ParseCheckpoint(changed);  // fine or an error, never a crash or a huge allocation
      if (!read.ok()) {
        EXPECT_EQ(read.status().code(), Code::kCorrupt);
      }
    }
  }
  std::vector<uint8_t> longer = whole;
  longer.insert(longer.end() - 4, 9, uint8_t{0});
  Seal(&longer);
  EXPECT_EQ(ParseCheckpoint(longer).status().code(), Code::kCorrupt);
}

TEST(Checkpoint, RefusesNumbersThatAreNotFinite) {
  Checkpoint checkpoint = Example();
  checkpoint.parameters["layer 1 alpha"].values[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ParseCheckpoint(SerializeCheckpoint(checkpoint)).status().code(), Code::kCorrupt);
}

TEST(Checkpoint, RefusesAnotherVersion) {
  std::vector<uint8_t> bytes = SerializeCheckpoint(Example());
  bytes[4] = 99;
  EXPECT_EQ(ParseCheckpoint(bytes).status().code(), Code::kVersion);
}

// ---- Conversions ----

Graph Network() {
  GraphBuilder b({1, 3, 10, 10});
  const ValueId stem = b.AddConv("stem", b.graph.input, 8, Square(3, 1, 1));
  const ValueId a = b.AddConv("a1", stem, 8, Square(3, 1, 1));
  const ValueId block = b.AddConv("a2", a, 8, Square(3, 1, 1), 1, stem);
  const ValueId c = b.AddConv("b", block, 8, Square(3, 2, 1));
  return b.Finish({b.AddDense("dense", b.AddFlatten("flatten", c), 5)});
}

ConvertOptions Options() {
  ConvertOptions options;
  options.bits = {2, 2};
  options.calibration_count = 40;
  options.check_count = 4;
  options.rounding = Rounding::kAdaptive;
  options.border = Border::kFreeChannel;
  options.learn_biases = true;
  options.iterations = 30;
  options.tune_iterations = 5;
  options.scratch_folder = testing::TempDir();
  return options;
}

class Conversion : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "/aq_checkpoint_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Result<std::vector<uint8_t>> Run(const ConvertOptions& options, const Progress& progress = nullptr) {
    return Convert(graph_, RandomImages(40, graph_.values[0].shape, 1), options, progress, &report_);
  }
  ConvertOptions WithCheckpoint() const {
    ConvertOptions options = options_;
    options.checkpoint = path_;
    options.is_resumed = true;
    return options;
  }
  // The checkpoint as it was when `units` were done: what is found after a kill.
  void KeepCheckpointOf(size_t units) {
    std::vector<char> kept;
    const auto progress = [&](const char* stage, size_t done, size_t) {
      if (std::string(stage) != "reconstruct" || done != units * 30) return;
      std::ifstream file(path_, std::ios::binary);
      kept.assign(std::istreambuf_iterator<char>(file), {});
    };
    ASSERT_TRUE(Run(WithCheckpoint(), progress).ok());
    ASSERT_FALSE(kept.empty());
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(kept.data(), static_cast<std::streamsize>(kept.size()));
  }

  const Graph graph_ = Network();
  ConvertOptions options_ = Options();
  std::string path_;
  ConvertReport report_;
};

TEST_F(Conversion, ContinuedAnywhereGivesTheSameBytes) {
  for (const auto& [kind, unit_count] : {std::pair{UnitKind::kBlock, size_t{4}}, {UnitKind::kLayer, size_t{5}}}) {
    SCOPED_TRACE(UnitKindName(kind));
    options_.unit_kind = kind;
    const auto whole = Run(options_);
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    const std::vector<UnitReport> units = report_.units;
    ASSERT_EQ(units.size(), unit_count);
    for (size_t done = 1; done <= unit_count; ++done) {
      std::filesystem::remove(path_);
      KeepCheckpointOf(done);
      std::vector<size_t> trained;  // units with training steps in the continued run
      const auto progress = [&](const char* stage, size_t step, size_t) {
        if (std::string(stage) == "reconstruct" && step % 30 == 1) trained.push_back(step / 30);
      };
      const auto continued = Run(WithCheckpoint(), progress);
      ASSERT_TRUE(continued.ok()) << continued.status().message();
      EXPECT_EQ(continued.value(), whole.value()) << "after unit " << done;
      for (const size_t unit : trained) EXPECT_GE(unit, done);
      ASSERT_EQ(report_.units.size(), units.size());
      for (size_t i = 0; i < units.size(); ++i) {
        EXPECT_EQ(report_.units[i].loss_before, units[i].loss_before);
        EXPECT_EQ(report_.units[i].loss_after, units[i].loss_after);
      }
    }
  }
}

TEST_F(Conversion, StartsFromTheBeginningWithoutACheckpoint) {
  const auto whole = Run(Options());
  EXPECT_EQ(Run(WithCheckpoint()).value(), whole.value());
}

TEST_F(Conversion, RefusesTheCheckpointOfAnotherConversion) {
  KeepCheckpointOf(2);
  ConvertOptions options = WithCheckpoint();
  options.seed = 5;
  EXPECT_EQ(Run(options).status().code(), Code::kInvalidArgument);
  options = WithCheckpoint();
  options.iterations = 31;
  EXPECT_EQ(Run(options).status().code(), Code::kInvalidArgument);
  options = WithCheckpoint();
  options.unit_kind = UnitKind::kLayer;
  EXPECT_EQ(Run(options).status().code(), Code::kInvalidArgument);
  options = WithCheckpoint();
  options.bits = {4, 2};
  EXPECT_EQ(Run(options).status().code(), Code::kInvalidArgument);
  options = WithCheckpoint();
  const auto other_images = Convert(graph_, RandomImages(40, graph_.values[0].shape, 2), options, nullptr, nullptr);
  EXPECT_EQ(other_images.status().code(), Code::kInvalidArgument);
  EXPECT_NE(other_images.status().message().find(path_), std::string::npos) << other_images.status().message();
}

TEST_F(Conversion, RefusesParametersThatDoNotFitTheNetwork) {
  KeepCheckpointOf(3);
  std::ifstream file(path_, std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto good = ParseCheckpoint(bytes);
  ASSERT_TRUE(good.ok());
  const auto try_with = [&](const Checkpoint& checkpoint) {
    EXPECT_TRUE(WriteFileAtomically(path_, SerializeCheckpoint(checkpoint)).ok());
    return Run(WithCheckpoint()).status().code();
  };
  Checkpoint bad = good.value();
  bad.parameters.begin()->second.values.push_back(0);
  EXPECT_EQ(try_with(bad), Code::kCorrupt);
  bad = good.value();
  bad.parameters.erase(bad.parameters.begin());
  EXPECT_EQ(try_with(bad), Code::kCorrupt);
  for (const char* name : {"value 9999 bits 2 step", "value -1 bits 2 step", "value 1 bits 7 step", "nonsense"}) {
    bad = good.value();
    bad.parameters[name].values = {1};
    EXPECT_EQ(try_with(bad), Code::kCorrupt) << name;
  }
  bad = good.value();
  bad.order[0] = bad.order[1];
  EXPECT_EQ(try_with(bad), Code::kCorrupt);
  bad = good.value();
  bad.units.resize(100);
  EXPECT_EQ(try_with(bad), Code::kCorrupt);
  EXPECT_EQ(try_with(good.value()), Code::kOk);
}

TEST_F(Conversion, GivesTheSameBytesWithCachesInFiles) {
  const auto in_memory = Run(Options());
  ConvertOptions options = Options();
  for (const size_t limit : {size_t{0}, size_t{150000}}) {  // all in files; some
    options.max_memory_bytes = limit;
    const auto in_files = Run(options);
    ASSERT_TRUE(in_files.ok()) << in_files.status().message();
    EXPECT_EQ(in_files.value(), in_memory.value());
  }
  options.scratch_folder = "/no/such/folder";
  EXPECT_EQ(Run(options).status().code(), Code::kIo);
}

}  // namespace
}  // namespace aq::converter
