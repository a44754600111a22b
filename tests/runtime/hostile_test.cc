// SPDX-License-Identifier: Apache-2.0
// Files whose checksums are right and whose contents are not: each either fails to load with a documented code, or
// runs. Tensors are isolated, so that a sanitizer sees every access outside one.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>

#include "runtime/container.h"
#include "runtime/crc32c.h"
#include "runtime/interpreter.h"
#include "tests/runtime/gallery.h"

namespace aq::test {
namespace {

template <class T>
void Poke(Bytes* file, size_t at, T value) {
  std::memcpy(file->data() + at, &value, sizeof value);
}

// Recomputes the checksums of header and metadata, as an attacker would. Weight segments keep theirs.
void FixChecksums(Bytes* file, size_t metadata_size) {
  Poke(file, 40, Crc32c({file->data() + kHeaderBytes, metadata_size}));
  Poke(file, 44, uint32_t{0});
  Poke(file, 44, Crc32c({file->data(), kHeaderBytes}));
}

size_t MetadataSize(const Bytes& file) {
  uint64_t size = 0;
  std::memcpy(&size, file.data() + 32, sizeof size);
  return static_cast<size_t>(size);
}

Limits SmallLimits() {
  Limits limits;
  limits.max_tensor_bytes = 1 << 18;
  limits.max_arena_bytes = 1 << 20;
  limits.max_weight_bytes = 1 << 22;
  limits.max_macs = 1'000'000;
  return limits;
}

struct Tally {
  size_t rejected = 0, ran = 0;
};

void LoadAndRun(const Bytes& file, Tally* tally) {
  auto loaded = Model::LoadCopy(file, SmallLimits());
  if (!loaded.ok()) {
    const Code code = loaded.status().code();
    ASSERT_TRUE(code == Code::kCorrupt || code == Code::kVersion || code == Code::kLimit || code == Code::kUnsupported)
        << static_cast<int>(code);
    ASSERT_FALSE(loaded.status().message().empty());
    ++tally->rejected;
    return;
  }
  auto interpreter = Interpreter::Create(**loaded, {.target = {.isas = DetectIsas()}, .isolate_tensors = true});
  if (!interpreter.ok()) {
    ASSERT_EQ(interpreter.status().code(), Code::kLimit) << interpreter.status().message();
    ++tally->rejected;
    return;
  }
  for (const int32_t index : (*loaded)->inputs) {
    std::memset((*interpreter)->tensor(index), 0xff, (*loaded)->tensors[static_cast<size_t>(index)].bytes);
  }
  (*interpreter)->Run();
  ++tally->ran;
}

class Hostile : public testing::TestWithParam<size_t> {};

TEST_P(Hostile, ChangedBytesWithRightChecksumsFailOrRun) {
  const Bytes file = Gallery()[GetParam()].builder.Build();
  const size_t metadata_size = MetadataSize(file);
  Tally tally;
  for (size_t i = kHeaderBytes; i < kHeaderBytes + metadata_size; ++i) {
    for (const uint8_t value : {uint8_t(file[i] ^ 0xff), uint8_t(file[i] + 1), uint8_t(0)}) {
      if (value == file[i]) continue;
      Bytes changed = file;
      changed[i] = value;
      FixChecksums(&changed, metadata_size);
      ASSERT_NO_FATAL_FAILURE(LoadAndRun(changed, &tally)) << "byte " << i;
    }
  }
  EXPECT_GT(tally.rejected, 100u);
  EXPECT_GT(tally.ran, 10u);
}

TEST_P(Hostile, BoundaryValuesInEveryWordFailOrRun) {
  const Bytes file = Gallery()[GetParam()].builder.Build();
  const size_t metadata_size = MetadataSize(file);
  Tally tally;
  constexpr int32_t kBoundaries[] = {
      0, -1, 1, 255, 256, 65536, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  for (size_t i = kHeaderBytes; i + 4 <= kHeaderBytes + metadata_size; i += 4) {
    for (const int32_t value : kBoundaries) {
      Bytes changed = file;
      Poke(&changed, i, value);
      FixChecksums(&changed, metadata_size);
      ASSERT_NO_FATAL_FAILURE(LoadAndRun(changed, &tally)) << "word at " << i << " = " << value;
    }
  }
  EXPECT_GT(tally.rejected, 100u);
}

INSTANTIATE_TEST_SUITE_P(Gallery, Hostile, testing::Range(size_t{0}, Gallery().size()),
                         [](const auto& info) { return Gallery()[info.param].name; });

TEST(HostileHeader, ChangedFieldsWithRightChecksumsAreRejected) {
  const Bytes file = SmallNetwork().Build();
  Tally tally;
  for (size_t i = 0; i < kHeaderBytes; ++i) {
    if (i >= 40 && i < 48) continue;  // the checksums themselves
    Bytes changed = file;
    changed[i] = static_cast<uint8_t>(changed[i] + 1);
    Poke(&changed, 44, uint32_t{0});
    Poke(&changed, 44, Crc32c({changed.data(), kHeaderBytes}));
    ASSERT_NO_FATAL_FAILURE(LoadAndRun(changed, &tally));
  }
  EXPECT_EQ(tally.rejected, kHeaderBytes - 8);
}

// One change to a good model, the code it must give, and a word its message must contain.
struct BadModel {
  const char* name;
  std::function<void(ModelBuilder*)> change;
  Code code;
  const char* message;
};

schema::Conv2DT& FirstConv(ModelBuilder* b) { return *b->model.ops[0]->attributes.AsConv2D(); }

std::vector<BadModel> BadModels() {
  const auto conv = [](auto change) { return [change](ModelBuilder* b) { change(&FirstConv(b)); }; };
  const auto tensor = [](size_t i, auto change) { return [=](ModelBuilder* b) { change(b->model.tensors[i].get()); }; };
  using C = schema::Conv2DT;
  using T = schema::TensorT;
  return {
      {"accumulator_overflow", conv([](C* c) { c->weights->bias[2] = 2147483647; }), Code::kCorrupt, "accumulator"},
      {"bias_minimum", conv([](C* c) { c->weights->bias[0] = std::numeric_limits<int32_t>::min(); }), Code::kCorrupt,
       "op0"},
      {"missing_bias", conv([](C* c) { c->weights->bias.pop_back(); }), Code::kCorrupt, "biases"},
      {"weights_too_wide", conv([](C* c) { c->weights->bits = 4; }), Code::kCorrupt, "segment"},
      {"weight_bits_3", conv([](C* c) { c->weights->bits = 3; }), Code::kCorrupt, "3 bits"},
      {"codebook_for_8_bits", conv([](C* c) { c->weights->codebook.assign(4, 1); }), Code::kCorrupt, "codebook"},
      {"zero_points_count", conv([](C* c) { c->weights->zero_point.assign(3, 1); }), Code::kCorrupt, "zero points"},
      {"segment_index", conv([](C* c) { c->weights->segment = 77; }), Code::kCorrupt, "77"},
      {"segment_shared", [](ModelBuilder* b) { b->model.ops[1]->attributes.AsConv2D()->weights->segment = 0; },
       Code::kCorrupt, "already belongs"},
      {"stride_0", conv([](C* c) { c->stride_h = 0; }), Code::kCorrupt, "stride"},
      {"dilation_negative", conv([](C* c) { c->dilation_w = -1; }), Code::kCorrupt, "dilation"},
      {"kernel_256", conv([](C* c) { c->kernel_h = 256; }), Code::kLimit, "kernel"},
      {"pad_of_kernel_size", conv([](C* c) { c->pad_top = 3; }), Code::kCorrupt, "padding"},
      {"pad_negative", conv([](C* c) { c->pad_right = -1; }), Code::kCorrupt, "padding"},
      {"output_height", conv([](C* c) { c->pad_top = 0; }), Code::kCorrupt, "height"},
      {"groups_0", conv([](C* c) { c->groups = 0; }), Code::kCorrupt, "groups"},
      {"groups_2", conv([](C* c) { c->groups = 2; }), Code::kCorrupt, "groups"},
      {"pad_codes_count", conv([](C* c) { c->pad_codes.assign(2, 1); }), Code::kCorrupt, "padding codes"},
      {"pad_code_above_bits", [](ModelBuilder* b) { b->model.ops[1]->attributes.AsConv2D()->pad_codes.assign(8, 4); },
       Code::kCorrupt, "padding code"},
      {"border_size", tensor(0, [](T* t) { t->border.resize(15); }), Code::kCorrupt, "border"},
      {"thresholds_on_8_bits", tensor(0, [](T* t) { t->channel_thresholds.assign(9, 1); }), Code::kCorrupt,
       "thresholds"},
      {"thresholds_descend",
       tensor(1,
              [](T* t) {
                t->channel_thresholds.assign(24, 5);
                t->channel_thresholds[7] = 4;
              }),
       Code::kCorrupt, "thresholds"},
      {"bits_5", tensor(1, [](T* t) { t->bits = 5; }), Code::kCorrupt, "5 bits"},
      {"wide_in_the_middle",
       tensor(1,
              [](T* t) {
                *t = T();
                t->shape = {1, 6, 6, 8};
                t->bits = 32;
                t->name = "w";
              }),
       Code::kCorrupt, "32 bits"},
      {"scale_nan", tensor(1, [](T* t) { t->scale = std::numeric_limits<float>::quiet_NaN(); }), Code::kCorrupt,
       "scale"},
      {"scale_denormal", tensor(1, [](T* t) { t->scale = 1e-40f; }), Code::kCorrupt, "scale"},
      {"scale_infinite", tensor(1, [](T* t) { t->scale = std::numeric_limits<float>::infinity(); }), Code::kCorrupt,
       "scale"},
      {"scale_negative", tensor(1, [](T* t) { t->scale = -1; }), Code::kCorrupt, "scale"},
      {"zero_point_above_bits", tensor(1, [](T* t) { t->zero_point = 4; }), Code::kCorrupt, "zero point"},
      {"dimension_0", tensor(0, [](T* t) { t->shape[1] = 0; }), Code::kCorrupt, "dimension"},
      {"dimension_negative", tensor(0, [](T* t) { t->shape[2] = -6; }), Code::kCorrupt, "dimension"},
      {"rank_7", tensor(0, [](T* t) { t->shape.assign(7, 1); }), Code::kCorrupt, "rank"},
      {"batch_2", tensor(0, [](T* t) { t->shape[0] = 2; }), Code::kUnsupported, "batch"},
      {"huge_product",
       tensor(0,
              [](T* t) {
                t->shape = {1, 65536, 65536, 65536};
              }),
       Code::kLimit, "elements"},
      {"input_index", [](ModelBuilder* b) { b->model.ops[0]->inputs[0] = 99; }, Code::kCorrupt, "99"},
      {"input_negative", [](ModelBuilder* b) { b->model.ops[0]->inputs[0] = -1; }, Code::kCorrupt, "-1"},
      {"use_before_definition", [](ModelBuilder* b) { std::swap(b->model.ops[0], b->model.ops[1]); }, Code::kCorrupt,
       "not written"},
      {"two_writers", [](ModelBuilder* b) { b->model.ops[1]->outputs[0] = 1; }, Code::kCorrupt, "already written"},
      {"input_is_output", [](ModelBuilder* b) { b->model.ops[1]->outputs[0] = b->model.ops[1]->inputs[0]; },
       Code::kCorrupt, "already written"},
      {"model_input_twice", [](ModelBuilder* b) { b->model.inputs.push_back(0); }, Code::kCorrupt, "twice"},
      {"model_output_is_input", [](ModelBuilder* b) { b->model.outputs.push_back(0); }, Code::kCorrupt, "both"},
      {"model_output_index", [](ModelBuilder* b) { b->model.outputs.push_back(1000); }, Code::kCorrupt, "1000"},
      {"no_outputs", [](ModelBuilder* b) { b->model.outputs.clear(); }, Code::kCorrupt, "outputs"},
      {"orphan_tensor",
       [](ModelBuilder* b) {
         b->Tensor({1, 4}, 8);
       },
       Code::kCorrupt, "no op writes"},
      {"three_outputs",
       [](ModelBuilder* b) {
         b->model.ops[0]->outputs.push_back(b->Tensor({1, 6, 6, 8}, 8));
       },
       Code::kCorrupt, "outputs"},
      {"requantize_missing", [](ModelBuilder* b) { b->model.ops[0]->requantize.pop_back(); }, Code::kCorrupt,
       "requantize"},
      {"multiplier_small", [](ModelBuilder* b) { b->model.ops[0]->requantize[0]->multiplier[1] = (1 << 30) - 1; },
       Code::kCorrupt, "multiplier"},
      {"shift_32", [](ModelBuilder* b) { b->model.ops[0]->requantize[0]->shift[1] = 32; }, Code::kCorrupt, "shift"},
      {"shift_overflows_value", [](ModelBuilder* b) { b->model.ops[0]->requantize[0]->shift[1] = -15; }, Code::kCorrupt,
       "fit"},
      {"offset_2_24", [](ModelBuilder* b) { b->model.ops[0]->requantize[0]->offset[1] = 1 << 24; }, Code::kCorrupt,
       "offset"},
      {"ratio_above", [](ModelBuilder* b) { b->model.ops[1]->requantize[0]->residual_ratio[0] = (1 << 21) + 1; },
       Code::kCorrupt, "ratio"},
      {"ratio_unused", [](ModelBuilder* b) { b->model.ops[0]->requantize[0]->ratio = {1}; }, Code::kCorrupt, "ratio"},
      {"requantize_count", [](ModelBuilder* b) { b->model.ops[0]->requantize[0]->multiplier.pop_back(); },
       Code::kCorrupt, "multiplier"},
      {"residual_shape", [](ModelBuilder* b) { b->model.ops[1]->inputs[1] = 0; }, Code::kCorrupt, "residual"},
      {"control_character_in_name", tensor(0, [](T* t) { t->name = "a\nb"; }), Code::kCorrupt, "control"},
      {"lookup_entry_above_bits",
       [](ModelBuilder* b) {
         for (auto& op : b->model.ops) {
           if (auto* lookup = op->attributes.AsLookup()) lookup->table[3] = 16;
         }
       },
       Code::kCorrupt, "table entry"},
  };
}

TEST(Hostile, EachRuleOfTheLoaderRejectsWithItsCodeAndReason) {
  for (const BadModel& bad : BadModels()) {
    SCOPED_TRACE(bad.name);
    ModelBuilder builder = SmallNetwork();
    bad.change(&builder);
    auto loaded = Model::LoadCopy(builder.Build(), Limits());
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.status().code(), bad.code) << loaded.status().message();
    EXPECT_NE(loaded.status().message().find(bad.message), std::string::npos) << loaded.status().message();
  }
}

TEST(Hostile, HostileWeightsAreRejected) {
  // 8-bit weights of -128 against codes of 255: 65,793 of them pass 2^31.
  ModelBuilder builder(3);
  const int32_t x = builder.Input({1, 65535}, 8);
  builder.Output(builder.Dense(x, {.n = 2}, true)[0]);
  auto& weights = *builder.model.ops[0]->attributes.AsDense()->weights;
  auto& rq = *builder.model.ops[0]->requantize[0];
  std::fill(builder.segments[0].begin(), builder.segments[0].end(), uint8_t{0x80});
  rq.shift.assign(2, 10);
  weights.bias = {0, (1 << 23)};
  EXPECT_TRUE(Model::LoadCopy(builder.Build(), Limits()).ok());
  weights.bias = {0, (1 << 24)};
  auto loaded = Model::LoadCopy(builder.Build(), Limits());
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kCorrupt);
  EXPECT_NE(loaded.status().message().find("channel 1"), std::string::npos) << loaded.status().message();
}

TEST(Hostile, UnionTagWithoutValueOrOfAFutureOperator) {
  const Bytes file = SmallNetwork().Build();
  const size_t metadata_size = MetadataSize(file);
  size_t unsupported = 0;
  for (size_t i = kHeaderBytes; i < kHeaderBytes + metadata_size; ++i) {
    Bytes changed = file;
    changed[i] = 200;
    FixChecksums(&changed, metadata_size);
    auto loaded = Model::LoadCopy(changed, Limits());
    unsupported += !loaded.ok() && loaded.status().code() == Code::kUnsupported &&
                   loaded.status().message().find("operator number 200") != std::string::npos;
  }
  EXPECT_EQ(unsupported, SmallNetwork().model.ops.size());
}

}  // namespace
}  // namespace aq::test
