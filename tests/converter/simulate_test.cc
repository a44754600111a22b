// SPDX-License-Identifier: Apache-2.0
// The simulation against numbers worked out by hand; against the runtime it is held in convert_test.cc.
#include "converter/simulate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "converter/scaling.h"
#include "kernels/numerics.h"

namespace aq::converter {
namespace {

int32_t AddTensor(IntegerModel* integer, std::vector<int32_t> shape, int bits, uint8_t zero_point) {
  auto tensor = std::make_unique<schema::TensorT>();
  tensor->shape = std::move(shape);
  tensor->bits = static_cast<uint8_t>(bits);
  tensor->zero_point = zero_point;
  integer->model.tensors.push_back(std::move(tensor));
  return static_cast<int32_t>(integer->model.tensors.size()) - 1;
}

template <class Attributes>
schema::OpT& AddOp(IntegerModel* integer, Attributes&& attributes, std::vector<int32_t> inputs,
                   std::vector<int32_t> outputs) {
  auto op = std::make_unique<schema::OpT>();
  op->name = "op";
  op->attributes.Set(std::forward<Attributes>(attributes));
  op->inputs = std::move(inputs);
  op->outputs = std::move(outputs);
  integer->model.ops.push_back(std::move(op));
  return *integer->model.ops.back();
}

// One unit of the accumulator is one code: multiplier * 2^-(31 + shift) = 2^8.
std::unique_ptr<schema::RequantizeT> Unit(uint8_t zero_point) {
  auto rq = std::make_unique<schema::RequantizeT>();
  rq->multiplier = {1 << 30};
  rq->shift = {-9};
  rq->offset = {zero_point << kFractionBits};
  return rq;
}

std::vector<uint8_t> RunOne(const IntegerModel& integer, const std::vector<uint8_t>& input) {
  return Simulator(&integer).Run(input)[static_cast<size_t>(integer.model.ops.back()->outputs[0])].codes;
}

TEST(Simulator, PaddingUsesPadCodesOrTheZeroPoint) {
  // 1x2x2x1 image, 3x3 kernel of ones, pad 1: every output is the whole image plus five padding taps.
  for (const bool has_pad_codes : {false, true}) {
    IntegerModel integer;
    integer.model.inputs = {AddTensor(&integer, {1, 2, 2, 1}, 8, 3)};
    const int32_t out = AddTensor(&integer, {1, 2, 2, 1}, 8, 0);
    schema::Conv2DT conv;
    conv.kernel_h = conv.kernel_w = 3;
    conv.pad_top = conv.pad_left = conv.pad_bottom = conv.pad_right = 1;
    if (has_pad_codes) conv.pad_codes = {7};
    conv.weights = std::make_unique<schema::WeightsT>();
    conv.weights->bias = {1};
    integer.segments.emplace_back(9, uint8_t{1});
    AddOp(&integer, std::move(conv), {0}, {out}).requantize.push_back(Unit(0));
    const uint8_t expected = static_cast<uint8_t>(1 + 10 + 20 + 30 + 40 + 5 * (has_pad_codes ? 7 : 3));
    EXPECT_EQ(RunOne(integer, {10, 20, 30, 40}), std::vector<uint8_t>(4, expected));
  }
}

TEST(Simulator, WeightZeroPointsAndCodebooksAreDecoded) {
  IntegerModel integer;
  integer.model.inputs = {AddTensor(&integer, {1, 2}, 8, 0)};
  const int32_t out = AddTensor(&integer, {1, 2}, 8, 100);
  schema::DenseT dense;
  dense.weights = std::make_unique<schema::WeightsT>();
  dense.weights->bits = 2;
  dense.weights->codebook = {-5, 0, 1, 9};
  dense.weights->zero_point = {0, 1};
  dense.weights->bias = {0, 2};
  // Codes 0, 3 | 2, 1: values -5, 9 | 1 - 1, 0 - 1.
  integer.segments.push_back({0b01'10'11'00});
  AddOp(&integer, std::move(dense), {0}, {out}).requantize.push_back(Unit(100));
  EXPECT_EQ(RunOne(integer, {4, 5}), (std::vector<uint8_t>{100 - 20 + 45, 100 - 5 + 2}));
}

TEST(Simulator, AverageLeavesPaddingOutOfTheCount) {
  IntegerModel integer;
  integer.model.inputs = {AddTensor(&integer, {1, 1, 2, 1}, 8, 10)};
  const int32_t out = AddTensor(&integer, {1, 1, 2, 1}, 8, 10);
  schema::PoolT pool;
  pool.kind = schema::PoolKind::Average;
  pool.kernel_w = 2;
  pool.pad_right = 1;
  auto rq = std::make_unique<schema::RequantizeT>();
  rq->offset = {10 << kFractionBits};
  rq->multiplier = {1 << 30, 1 << 30};
  rq->shift = {-9, -8};  // 1, 1/2
  AddOp(&integer, std::move(pool), {0}, {out}).requantize.push_back(std::move(rq));
  EXPECT_EQ(RunOne(integer, {14, 30}), (std::vector<uint8_t>{22, 30}));
}

TEST(Simulator, BordersDecideTheRounding) {
  IntegerModel integer;
  integer.model.inputs = {AddTensor(&integer, {1, 3}, 8, 0)};
  const int32_t other = AddTensor(&integer, {1, 3}, 4, 0);
  auto& border = integer.Tensor(other).border;
  border.assign(kBorderEntries, 127);
  border[1] = 200;  // 1.5 stays 1
  schema::AddT add;
  auto rq = std::make_unique<schema::RequantizeT>();
  rq->offset = {0};
  rq->ratio = {1 << 11};  // 1/2
  rq->residual_ratio = {0};
  AddOp(&integer, std::move(add), {0, 0}, {other}).requantize.push_back(std::move(rq));
  EXPECT_EQ(RunOne(integer, {1, 3, 5}), (std::vector<uint8_t>{1, 1, 3}));
}

TEST(Simulator, MovesPositionsNotValues) {
  IntegerModel integer;
  integer.model.inputs = {AddTensor(&integer, {1, 2, 3, 1}, 8, 9)};
  const int32_t turned = AddTensor(&integer, {1, 3, 2, 1}, 8, 9), sliced = AddTensor(&integer, {1, 2, 1, 1}, 8, 9);
  const int32_t padded = AddTensor(&integer, {1, 2, 2, 1}, 8, 9);
  schema::TransposeT transpose;
  transpose.permutation = {0, 2, 1, 3};
  AddOp(&integer, std::move(transpose), {0}, {turned});
  EXPECT_EQ(RunOne(integer, {1, 2, 3, 4, 5, 6}), (std::vector<uint8_t>{1, 4, 2, 5, 3, 6}));
  schema::SliceT slice;
  slice.begin = {0, 0, 1, 0};
  slice.stride = {1, 2, 1, 1};
  AddOp(&integer, std::move(slice), {turned}, {sliced});
  EXPECT_EQ(RunOne(integer, {1, 2, 3, 4, 5, 6}), (std::vector<uint8_t>{4, 6}));
  schema::PadT pad;
  pad.before = {0, 0, 1, 0};
  pad.after = {0, 0, 0, 0};
  AddOp(&integer, std::move(pad), {sliced}, {padded});
  EXPECT_EQ(RunOne(integer, {1, 2, 3, 4, 5, 6}), (std::vector<uint8_t>{9, 4, 9, 6}));
}

TEST(Scaling, MultipliersReproduceTheRatio) {
  for (const double ratio : {1e-6, 0.0123, 0.5, 0.999999999999, 1.0, 1.5, 120.0}) {
    int32_t multiplier = 0;
    int8_t shift = 0;
    ASSERT_TRUE(QuantizeMultiplier(ratio, &multiplier, &shift)) << ratio;
    EXPECT_GE(multiplier, 1 << 30);
    EXPECT_NEAR(std::ldexp(multiplier, -(31 + shift)) / 256 / ratio, 1, 1e-9);
  }
  int32_t multiplier = 0;
  int8_t shift = 0;
  for (const double ratio : {0.0, -1.0, 1e-13, 1e6, std::nan("")})
    EXPECT_FALSE(QuantizeMultiplier(ratio, &multiplier, &shift)) << ratio;
  EXPECT_TRUE(QuantizeRatio(512, &multiplier));
  EXPECT_FALSE(QuantizeRatio(513, &multiplier));
}

TEST(Scaling, TooLargeAccumulatorsAreNamed) {
  IntegerModel integer;
  integer.model.inputs = {AddTensor(&integer, {1, 2}, 8, 0)};
  const int32_t out = AddTensor(&integer, {1, 1}, 8, 0);
  schema::DenseT dense;
  dense.weights = std::make_unique<schema::WeightsT>();
  dense.weights->bias = {std::numeric_limits<int32_t>::max() - 255};
  integer.segments.push_back({1, 1});
  auto rq = Unit(0);
  rq->shift = {20};
  AddOp(&integer, std::move(dense), {0}, {out}).requantize.push_back(std::move(rq));
  const Status status = ProveRanges(integer);
  EXPECT_EQ(status.code(), Code::kLimit);
  EXPECT_NE(status.message().find("2147483902"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace aq::converter
