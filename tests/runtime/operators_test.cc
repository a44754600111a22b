// SPDX-License-Identifier: Apache-2.0
// Every operator against the independent reference, on every instruction set of this machine, 1 and 2 threads, in one
// arena and with each tensor in an allocation of its own: the same codes, all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "runtime/interpreter.h"
#include "tests/runtime/gallery.h"
#include "tests/runtime/reference_model.h"

namespace aq::test {
namespace {

std::unique_ptr<Model> LoadOrDie(const Bytes& file) {
  auto loaded = Model::LoadCopy(file, Limits());
  EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  return loaded.ok() ? std::move(loaded).value() : nullptr;
}

Codes CodesOf(const Interpreter& interpreter, const Model& model, int32_t index) {
  const Tensor& tensor = model.tensors[static_cast<size_t>(index)];
  Codes codes(static_cast<size_t>(tensor.elements));
  for (size_t i = 0; i < codes.size(); ++i) {
    if (tensor.is_wide()) {
      std::memcpy(&codes[i], interpreter.tensor(index) + 4 * i, 4);
    } else {
      codes[i] = interpreter.tensor(index)[i];
    }
  }
  return codes;
}

struct Expected {
  const Model& model;
  const std::vector<Codes>& tensors;
};

// The observer compares each op's outputs while they live.
struct Comparison {
  const Interpreter* interpreter;
  const Expected* expected;
  size_t compared = 0;
};

void CompareOp(void* user, size_t op, uint64_t) {
  Comparison& comparison = *static_cast<Comparison*>(user);
  const Model& model = comparison.expected->model;
  for (const int32_t index : model.ops[op].outputs) {
    EXPECT_EQ(CodesOf(*comparison.interpreter, model, index), comparison.expected->tensors[static_cast<size_t>(index)])
        << model.ops[op].kind->type << " " << model.ops[op].name << " kernel " << comparison.interpreter->op(op).kernel;
    ++comparison.compared;
  }
}

void RunAndCompare(const Expected& expected, const std::vector<Codes>& inputs, const InterpreterOptions& options) {
  auto made = Interpreter::Create(expected.model, options);
  ASSERT_TRUE(made.ok()) << made.status().message();
  Interpreter& interpreter = **made;
  Comparison comparison{&interpreter, &expected};
  interpreter.set_observer(CompareOp, &comparison);
  for (size_t i = 0; i < inputs.size(); ++i) {
    uint8_t* to = interpreter.tensor(expected.model.inputs[i]);
    for (size_t j = 0; j < inputs[i].size(); ++j) to[j] = static_cast<uint8_t>(inputs[i][j]);
  }
  interpreter.Run();
  interpreter.Run();  // inputs are kept, nothing is left over from the first
  size_t outputs = 0;
  for (const ModelOp& op : expected.model.ops) outputs += op.outputs.size();
  EXPECT_EQ(comparison.compared, 2 * outputs);
}

class Operators : public testing::TestWithParam<size_t> {};

TEST_P(Operators, EqualTheReferenceOnEveryIsaAndThreadCount) {
  GalleryModel entry = std::move(Gallery()[GetParam()]);
  const auto model = LoadOrDie(entry.builder.Build());
  ASSERT_NE(model, nullptr);
  const uint32_t isas = DetectIsas().bits();
  for (uint32_t seed = 0; seed < 2; ++seed) {
    const auto inputs = RandomInputs(entry.builder.model, seed);
    const auto tensors = RunReference(entry.builder.model, entry.builder.segments, inputs);
    const Expected expected{*model, tensors};
    for (int isa = 0; isa < kIsaCount; ++isa) {
      if (!(isas >> isa & 1)) continue;
      SCOPED_TRACE(entry.name + " " + IsaName(static_cast<Isa>(isa)));
      const IsaSet usable = IsaSet().With(static_cast<Isa>(isa));
      for (const int threads : {1, 2}) {
        RunAndCompare(expected, inputs, {.target = {.isas = usable}, .num_threads = threads});
        RunAndCompare(expected, inputs, {.target = {.isas = usable}, .num_threads = threads, .isolate_tensors = true});
      }
    }
  }
}

// A test whose outputs are all one value would pass with broken kernels.
TEST_P(Operators, ReferenceOutputsVary) {
  GalleryModel entry = std::move(Gallery()[GetParam()]);
  const auto inputs = RandomInputs(entry.builder.model, 7);
  const auto tensors = RunReference(entry.builder.model, entry.builder.segments, inputs);
  for (const int32_t index : entry.builder.model.outputs) {
    const Codes& codes = tensors[static_cast<size_t>(index)];
    EXPECT_NE(*std::min_element(codes.begin(), codes.end()), *std::max_element(codes.begin(), codes.end()))
        << entry.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Gallery, Operators, testing::Range(size_t{0}, Gallery().size()),
                         [](const auto& info) { return Gallery()[info.param].name; });

TEST(Interpreter, SplitsLargeLayersBetweenThreadsWithTheSameBits) {
  ModelBuilder builder(5);
  const int32_t x = builder.Input({1, 40, 40, 16}, 8);
  builder.Output(builder.Conv(x, {.n = 24, .kernel_h = 3, .kernel_w = 3, .weight_bits = 4, .out_bits = {4}})[0]);
  const auto model = LoadOrDie(builder.Build());
  const auto inputs = RandomInputs(builder.model, 1);
  const auto tensors = RunReference(builder.model, builder.segments, inputs);
  for (const int threads : {1, 2, 3, 7}) {
    RunAndCompare({*model, tensors}, inputs, {.target = {.isas = DetectIsas()}, .num_threads = threads});
  }
}

// A 3x3 layer that direct tiles, look-up tiles (both of 2 bits) and Winograd can compute; few pixels are split by
// panels.
class Techniques : public testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(Techniques, GiveTheSameBits) {
  const auto [weight_bits, input_bits, side] = GetParam();
  ModelBuilder builder(8);
  const int32_t x = builder.Input({1, side, side, 64}, input_bits);
  builder.Output(builder.Conv(x, Padded3x3({.n = 80, .weight_bits = weight_bits, .out_bits = {input_bits}}))[0]);
  const auto model = LoadOrDie(builder.Build());
  const auto inputs = RandomInputs(builder.model, 3);
  const auto tensors = RunReference(builder.model, builder.segments, inputs);
  for (int isa = 0; isa < kIsaCount; ++isa) {
    if (!DetectIsas().Has(static_cast<Isa>(isa))) continue;
    std::string names;
    IsaSet isas;
    std::string error;
    ASSERT_TRUE(LimitIsas(IsaName(static_cast<Isa>(isa)), DetectIsas(), &isas, &error)) << error;
    for (int i = 0; i < kTechniqueCount; ++i) {
      SCOPED_TRACE(std::string(IsaName(static_cast<Isa>(isa))) + " " + kTechniqueNames[i]);
      const Target target{isas, static_cast<Technique>(i)};
      for (const int threads : {1, 3}) {
        RunAndCompare({*model, tensors}, inputs, {.target = target, .num_threads = threads, .isolate_tensors = true});
      }
      const auto interpreter = Interpreter::Create(*model, {.target = target});
      ASSERT_TRUE(interpreter.ok());
      names += std::string(" ") + (*interpreter)->op(0).kernel;
    }
    EXPECT_EQ(names.find("winograd") != std::string::npos, isa != 0) << names;
    EXPECT_EQ(names.find("lut") != std::string::npos, weight_bits == 2 && input_bits == 2) << names;
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, Techniques,
                         testing::Values(std::tuple(2, 2, 9), std::tuple(4, 4, 9), std::tuple(2, 4, 9),
                                         std::tuple(4, 2, 9), std::tuple(2, 2, 34), std::tuple(4, 4, 34)));

TEST(Interpreter, ClampsInputCodesAboveTheirBits) {
  ModelBuilder builder(6);
  builder.Output(builder.Lookup(builder.Input({1, 100}, 2), 8));
  const auto model = LoadOrDie(builder.Build());
  auto interpreter = Interpreter::Create(*model, {.target = {}});
  ASSERT_TRUE(interpreter.ok());
  std::memset((*interpreter)->tensor(0), 255, 100);
  (*interpreter)->Run();
  const auto& lookup = *builder.model.ops[0]->attributes.AsLookup();
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ((*interpreter)->tensor(1)[i], lookup.table[3]);
}

TEST(Interpreter, PlanNamesOpsAndKernels) {
  const auto model = LoadOrDie(SmallNetwork().Build());
  auto interpreter = Interpreter::Create(*model, {.target = {}});
  ASSERT_TRUE(interpreter.ok());
  const std::string text = (*interpreter)->plan().ToString(*model);
  EXPECT_NE(text.find("Conv2D"), std::string::npos) << text;
  EXPECT_NE(text.find("scalar"), std::string::npos) << text;
  EXPECT_NE(text.find("op0"), std::string::npos) << text;
  EXPECT_TRUE(IsValidLayout((*interpreter)->plan().tensors, (*interpreter)->plan().arena));
}

}  // namespace
}  // namespace aq::test
