// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/gallery.h"

#include "kernels/numerics.h"

namespace aq::test {
namespace {

ModelBuilder ConvModel(uint32_t seed, const Dims& in, int in_bits, const ConvSpec& spec) {
  ModelBuilder b(seed);
  const int32_t x = b.Input(in, in_bits);
  for (const int32_t out : b.Conv(x, spec)) b.Output(out);
  return b;
}

// out = conv(x) + y, with y a second input of the output's shape.
ModelBuilder ResidualModel(uint32_t seed, const Dims& in, int in_bits, const Dims& out, int residual_bits,
                           ConvSpec spec) {
  ModelBuilder b(seed);
  const int32_t x = b.Input(in, in_bits);
  spec.residual = b.Input(out, residual_bits);
  for (const int32_t result : b.Conv(x, spec)) b.Output(result);
  return b;
}

schema::PoolT PoolSpec(schema::PoolKind kind, int32_t kernel, int32_t stride, int32_t pad, bool count_include_pad) {
  schema::PoolT pool;
  pool.kind = kind;
  pool.kernel_h = pool.kernel_w = kernel;
  pool.stride_h = pool.stride_w = stride;
  pool.pad_top = pool.pad_left = pad;
  pool.pad_bottom = pad;
  pool.pad_right = pad / 2;
  pool.count_include_pad = count_include_pad;
  return pool;
}

ModelBuilder PoolModel(uint32_t seed, const Dims& in, int bits, const schema::PoolT& pool, int out_bits) {
  ModelBuilder b(seed);
  b.Output(b.Pool(b.Input(in, bits), pool, out_bits));
  return b;
}

void AddConvolutions(std::vector<GalleryModel>* g) {
  g->push_back({"conv_1x1_w8a8", ConvModel(1, {1, 5, 4, 19}, 8, {.n = 13})});
  g->push_back({"conv_3x3_w8a8", ConvModel(2, {1, 7, 6, 5}, 8, Padded3x3({.n = 9}))});
  g->push_back({"conv_stride2_w4a4_asymmetric", ConvModel(3, {1, 9, 8, 16}, 4,
                                                          {.n = 20,
                                                           .kernel_h = 3,
                                                           .kernel_w = 3,
                                                           .stride_h = 2,
                                                           .stride_w = 2,
                                                           .pad_bottom = 1,
                                                           .pad_right = 1,
                                                           .weight_bits = 4,
                                                           .is_asymmetric = true,
                                                           .out_bits = {4}})});
  g->push_back(
      {"conv_w2a2_thresholds",
       ConvModel(
           4, {1, 6, 6, 32}, 2,
           Padded3x3(
               {.n = 17, .weight_bits = 2, .codebook = {-1, 0, 1, 2}, .has_thresholds = true, .out_bits = {2}}))});
  g->push_back(
      {"conv_w2_codebook_without_zero",
       ConvModel(5, {1, 4, 4, 5}, 4,
                 {.n = 6, .weight_bits = 2, .codebook = {-3, -1, 1, 3}, .is_per_channel = false, .out_bits = {2}})});
  g->push_back({"conv_w8a8_asymmetric", ConvModel(6, {1, 3, 3, 70}, 8, {.n = 33, .is_asymmetric = true})});
  g->push_back({"conv_dilated_pad_codes", ConvModel(7, {1, 8, 9, 6}, 8,
                                                    {.n = 6,
                                                     .kernel_h = 3,
                                                     .kernel_w = 2,
                                                     .dilation_h = 2,
                                                     .dilation_w = 3,
                                                     .pad_top = 3,
                                                     .pad_left = 1,
                                                     .pad_right = 2,
                                                     .groups = 3,
                                                     .weight_bits = 4,
                                                     .has_pad_codes = true})});
  g->push_back(
      {"conv_two_outputs",
       ConvModel(8, {1, 4, 5, 8}, 4, {.n = 12, .weight_bits = 4, .has_thresholds = true, .out_bits = {2, 8}})});
  g->push_back({"conv_wide_output", ConvModel(9, {1, 2, 2, 8}, 8, {.n = 5, .out_bits = {32}})});
  g->push_back({"conv_residual_two_outputs",
                ResidualModel(10, {1, 5, 5, 8}, 4, {1, 5, 5, 16}, 8,
                              {.n = 16, .weight_bits = 4, .has_thresholds = true, .out_bits = {2, 8}})});
  g->push_back({"depthwise_w8a8",
                ConvModel(11, {1, 7, 7, 21}, 8,
                          Padded3x3({.n = 21, .stride_h = 2, .stride_w = 1, .groups = 21, .is_asymmetric = true}))});
  g->push_back(
      {"depthwise_w2_residual",
       ResidualModel(12, {1, 5, 5, 66}, 2, {1, 5, 5, 66}, 4,
                     Padded3x3({.n = 66, .groups = 66, .weight_bits = 2, .has_pad_codes = true, .out_bits = {2, 4}}))});
  g->push_back(
      {"depthwise_multiplier_2", ConvModel(13, {1, 4, 4, 6}, 8, {.n = 12, .kernel_h = 3, .kernel_w = 3, .groups = 6})});
}

void AddOthers(std::vector<GalleryModel>* g) {
  using enum schema::PoolKind;
  {
    ModelBuilder b(20);
    b.Output(b.Dense(b.Input({1, 37}, 4), {.n = 11, .weight_bits = 4, .out_bits = {32}}, true)[0]);
    g->push_back({"dense_wide", std::move(b)});
  }
  {
    ModelBuilder b(21);
    b.Output(b.Dense(b.Input({1, 1, 1, 64}, 8), {.n = 10, .weight_bits = 2, .is_asymmetric = true}, true)[0]);
    g->push_back({"dense_w2a8", std::move(b)});
  }
  {
    ModelBuilder b(22);
    const int32_t a = b.Input({1, 3, 5, 18}, 8), c = b.Input({1, 3, 5, 18}, 4);
    for (const int32_t out : b.Add(a, c, {2, 8}, true)) b.Output(out);
    g->push_back({"add_two_outputs", std::move(b)});
  }
  {
    ModelBuilder b(23);
    const int32_t a = b.Input({1, 4, 3, 20}, 8), c = b.Input({1, 1, 1, 20}, 4);
    b.Output(b.Mul(a, c, 8));
    b.Output(b.Mul(a, a, 4));
    g->push_back({"mul_broadcast_and_square", std::move(b)});
  }
  {
    ModelBuilder b(24);
    const int32_t a = b.Input({1, 3, 4, 5}, 8), c = b.Input({1, 3, 4, 17}, 4), d = b.Input({1, 3, 4, 2}, 2);
    b.Output(b.Concat({a, c, d}, 3, 8));
    b.Output(b.Concat({a, c, d}, 3, 2, true));
    g->push_back({"concat_channels", std::move(b)});
  }
  {
    ModelBuilder b(25);
    const int32_t a = b.Input({1, 3, 4, 5}, 8), c = b.Input({1, 2, 4, 5}, 4);
    b.Output(b.Concat({a, c}, 1, 4));
    b.Output(b.Concat({c, a, c}, 1, 2, true));
    g->push_back({"concat_rows", std::move(b)});
  }
  g->push_back({"max_pool", PoolModel(26, {1, 7, 8, 19}, 8, PoolSpec(Max, 3, 2, 1, false), 8)});
  g->push_back({"average_pool", PoolModel(27, {1, 7, 8, 19}, 8, PoolSpec(Average, 3, 2, 2, false), 4)});
  g->push_back({"average_pool_with_pad", PoolModel(28, {1, 6, 6, 7}, 4, PoolSpec(Average, 2, 1, 1, true), 8)});
  g->push_back({"global_average_wide", PoolModel(29, {1, 7, 7, 40}, 8, PoolSpec(Average, 7, 1, 0, false), 32)});
  {
    ModelBuilder b(30);
    b.Output(b.Lookup(b.Lookup(b.Input({1, 3, 3, 7}, 4), 8), 2));
    g->push_back({"lookup", std::move(b)});
  }
  {
    ModelBuilder b(31);
    const int32_t padded = b.Pad(b.Input({1, 4, 6, 4}, 4), {0, 1, 0, 3}, {0, 0, 2, 1});
    const int32_t sliced = b.Slice(padded, {0, 1, 0, 2}, {1, 1, 3, 2}, {1, 4, 3, 3});
    const int32_t turned = b.Transpose(sliced, {0, 3, 1, 2});
    b.Output(b.Reshape(turned, {1, 36}));
    b.Output(b.Transpose(b.Reshape(turned, {1, 2, 3, 1, 2, 3}), {0, 5, 2, 3, 4, 1}));
    g->push_back({"pad_slice_transpose_reshape", std::move(b)});
  }
}

}  // namespace

ModelBuilder SmallNetwork() {
  ModelBuilder b(99);
  b.Metadata("aq.recipe", "w4a4");
  b.Metadata("aq.labels", "cat\ndog");
  const int32_t x = b.Input({1, 6, 6, 3}, 8);
  const auto stem = b.Conv(x, Padded3x3({.n = 8, .out_bits = {2, 8}}));
  const auto block = b.Conv(stem[0], {.n = 8, .weight_bits = 2, .residual = stem[1], .out_bits = {4}});
  const int32_t depthwise = b.Conv(block[0], {.n = 8,
                                              .kernel_h = 3,
                                              .kernel_w = 3,
                                              .stride_h = 2,
                                              .stride_w = 2,
                                              .pad_top = 1,
                                              .pad_left = 1,
                                              .groups = 8,
                                              .weight_bits = 4})[0];
  const int32_t sum = b.Add(depthwise, b.Lookup(depthwise, 4), {8})[0];
  const int32_t pooled = b.Pool(
      sum,
      [] {
        schema::PoolT pool;
        pool.kind = schema::PoolKind::Average;
        pool.kernel_h = pool.kernel_w = 3;
        return pool;
      }(),
      8);
  b.Output(b.Dense(b.Reshape(pooled, {1, 8}), {.n = 4, .weight_bits = 4, .out_bits = {32}}, true)[0]);
  return b;
}

std::vector<GalleryModel> Gallery() {
  std::vector<GalleryModel> gallery;
  AddConvolutions(&gallery);
  AddOthers(&gallery);
  gallery.push_back({"small_network", SmallNetwork()});
  return gallery;
}

std::vector<std::vector<int32_t>> RandomInputs(const schema::ModelT& model, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<int32_t>> inputs;
  for (const int32_t index : model.inputs) {
    const auto& tensor = *model.tensors[static_cast<size_t>(index)];
    size_t count = 1;
    for (const int32_t dim : tensor.shape) count *= static_cast<size_t>(dim);
    std::vector<int32_t> codes(count);
    for (int32_t& code : codes) code = static_cast<int32_t>(random() % (1u << tensor.bits));
    inputs.push_back(std::move(codes));
  }
  return inputs;
}

}  // namespace aq::test
