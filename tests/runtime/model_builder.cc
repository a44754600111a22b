// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/model_builder.h"

#include <algorithm>
#include <cmath>

#include "kernels/numerics.h"
#include "runtime/container.h"

namespace aq::test {
namespace {

void SetMultiplier(double factor, schema::RequantizeT* rq) {
  int exponent = 0;
  const double fraction = std::frexp(factor * 256, &exponent);
  rq->multiplier.push_back(static_cast<int32_t>(std::min(fraction * 2147483648.0, 2147483647.0)));
  rq->shift.push_back(static_cast<int8_t>(-exponent));
}

int32_t WindowOut(int32_t in, int32_t before, int32_t after, int32_t kernel, int32_t dilation, int32_t stride) {
  return (in + before + after - (kernel - 1) * dilation - 1) / stride + 1;
}

}  // namespace

int32_t ModelBuilder::Tensor(const Dims& shape, int bits, bool has_thresholds) {
  auto tensor = std::make_unique<schema::TensorT>();
  tensor->name = "tensor" + std::to_string(model.tensors.size());
  tensor->shape = shape;
  tensor->bits = static_cast<uint8_t>(bits);
  tensor->scale = 0.01f * static_cast<float>(Uniform(1, 100));
  if (bits != 32) {
    tensor->zero_point = static_cast<uint8_t>(Uniform(0, MaxLevel(bits)));
    for (int i = 0; i < kBorderEntries; ++i) tensor->border.push_back(static_cast<uint8_t>(Uniform(0, 255)));
  }
  if (has_thresholds && bits == 2) {
    for (int32_t channel = 0; channel < shape.back(); ++channel) {
      std::vector<uint16_t> thresholds;
      for (int i = 0; i < kThresholds; ++i) thresholds.push_back(static_cast<uint16_t>(Uniform(0, 768)));
      std::sort(thresholds.begin(), thresholds.end());
      tensor->channel_thresholds.insert(tensor->channel_thresholds.end(), thresholds.begin(), thresholds.end());
    }
  }
  model.tensors.push_back(std::move(tensor));
  return static_cast<int32_t>(model.tensors.size()) - 1;
}

int32_t ModelBuilder::SameTensor(const Dims& shape, int32_t like) {
  const int32_t index = Tensor(shape, BitsOf(like));
  model.tensors.back()->scale = model.tensors[static_cast<size_t>(like)]->scale;
  model.tensors.back()->zero_point = model.tensors[static_cast<size_t>(like)]->zero_point;
  return index;
}

int32_t ModelBuilder::Input(const Dims& shape, int bits) {
  model.inputs.push_back(Tensor(shape, bits));
  return model.inputs.back();
}

template <class Attributes>
schema::OpT ModelBuilder::NewOp(std::vector<int32_t> inputs, Attributes attributes) {
  schema::OpT op;
  op.name = "op" + std::to_string(model.ops.size());
  op.attributes.Set(std::move(attributes));
  op.inputs = std::move(inputs);
  return op;
}

// Multiplier and offset that spread accumulators of this deviation over the output's levels.
std::unique_ptr<schema::RequantizeT> ModelBuilder::Scaling(int32_t out, double deviation, size_t entries) {
  auto rq = std::make_unique<schema::RequantizeT>();
  const int bits = BitsOf(out) == 32 ? 8 : BitsOf(out);
  for (size_t i = 0; i < entries; ++i) {
    SetMultiplier(MaxLevel(bits) / (4 * deviation) * Uniform(50, 150) / 100, rq.get());
    rq->offset.push_back((MaxLevel(bits) << 7) + Uniform(-64, 64));
  }
  return rq;
}

std::unique_ptr<schema::WeightsT> ModelBuilder::Weights(const ConvSpec& spec, int32_t k, int32_t max_code,
                                                        double* deviation) {
  auto weights = std::make_unique<schema::WeightsT>();
  weights->bits = static_cast<uint8_t>(spec.weight_bits);
  weights->segment = static_cast<uint32_t>(segments.size());
  weights->codebook = spec.codebook;
  const size_t per_channel = static_cast<size_t>(k * spec.kernel_h * spec.kernel_w);
  const size_t n = static_cast<size_t>(spec.n);
  Bytes codes((n * per_channel * static_cast<size_t>(spec.weight_bits) + 7) / 8);
  double squares = 0;
  for (size_t channel = 0; channel < n; ++channel) {
    const int zero_point = spec.is_asymmetric ? Uniform(-128, 127) >> (8 - spec.weight_bits) : 0;
    if (spec.is_asymmetric) weights->zero_point.push_back(static_cast<int8_t>(zero_point));
    int64_t sum = 0;
    for (size_t i = 0; i < per_channel; ++i) {
      const uint8_t code = static_cast<uint8_t>(Uniform(0, MaxLevel(spec.weight_bits)));
      SetCodeAt(codes.data(), channel * per_channel + i, spec.weight_bits, code);
      const int8_t* codebook = spec.codebook.empty() ? nullptr : spec.codebook.data();
      const int value = DecodeWeight(code, spec.weight_bits, codebook) - zero_point;
      sum += value;
      squares += value * value;
    }
    weights->bias.push_back(static_cast<int32_t>(-sum * max_code / 2) + Uniform(-50, 50));
    weights->scale.push_back(0.125f);
  }
  *deviation = 1 + std::sqrt(squares / static_cast<double>(n)) * max_code * 0.3;
  segments.push_back(std::move(codes));
  return weights;
}

std::vector<int32_t> ModelBuilder::Layer(schema::OpT op, const ConvSpec& spec, const Dims& out_shape,
                                         double deviation) {
  if (spec.residual >= 0) op.inputs.push_back(spec.residual);
  for (const int bits : spec.out_bits) {
    op.outputs.push_back(Tensor(out_shape, bits, spec.has_thresholds));
    op.requantize.push_back(
        Scaling(op.outputs.back(), deviation, spec.is_per_channel ? static_cast<size_t>(spec.n) : 1));
    if (spec.residual >= 0) op.requantize.back()->residual_ratio.push_back(Uniform(0, 9000));
  }
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs;
}

std::vector<int32_t> ModelBuilder::Conv(int32_t in, const ConvSpec& spec) {
  const Dims shape = ShapeOf(in);
  double deviation = 1;
  schema::Conv2DT conv;
  conv.weights = Weights(spec, shape[3] / spec.groups, MaxLevel(BitsOf(in)), &deviation);
  conv.kernel_h = spec.kernel_h;
  conv.kernel_w = spec.kernel_w;
  conv.stride_h = spec.stride_h;
  conv.stride_w = spec.stride_w;
  conv.dilation_h = spec.dilation_h;
  conv.dilation_w = spec.dilation_w;
  conv.pad_top = spec.pad_top;
  conv.pad_left = spec.pad_left;
  conv.pad_bottom = spec.pad_bottom;
  conv.pad_right = spec.pad_right;
  conv.groups = spec.groups;
  for (int32_t i = 0; spec.has_pad_codes && i < shape[3]; ++i) {
    conv.pad_codes.push_back(static_cast<uint8_t>(Uniform(0, MaxLevel(BitsOf(in)))));
  }
  const Dims out = {
      1, WindowOut(shape[1], spec.pad_top, spec.pad_bottom, spec.kernel_h, spec.dilation_h, spec.stride_h),
      WindowOut(shape[2], spec.pad_left, spec.pad_right, spec.kernel_w, spec.dilation_w, spec.stride_w), spec.n};
  return Layer(NewOp({in}, std::move(conv)), spec, out, deviation);
}

std::vector<int32_t> ModelBuilder::Dense(int32_t in, const ConvSpec& spec, bool is_flat) {
  double deviation = 1;
  schema::DenseT dense;
  dense.weights = Weights(spec, ShapeOf(in).back(), MaxLevel(BitsOf(in)), &deviation);
  return Layer(NewOp({in}, std::move(dense)), spec, is_flat ? Dims{1, spec.n} : Dims{1, 1, 1, spec.n}, deviation);
}

std::vector<int32_t> ModelBuilder::Add(int32_t a, int32_t b, std::vector<int> out_bits, bool has_thresholds) {
  schema::OpT op = NewOp({a, b}, schema::AddT());
  for (const int bits : out_bits) {
    op.outputs.push_back(Tensor(Dims(ShapeOf(a)), bits, has_thresholds));
    auto rq = std::make_unique<schema::RequantizeT>();
    rq->ratio.push_back(4096 * MaxLevel(bits) / MaxLevel(BitsOf(a)) * Uniform(40, 100) / 100);
    rq->residual_ratio.push_back(4096 * MaxLevel(bits) / MaxLevel(BitsOf(b)) * Uniform(40, 100) / 100);
    for (int32_t i = 0; i < ShapeOf(a).back(); ++i) rq->offset.push_back(MaxLevel(bits) * 64 + Uniform(0, 255));
    op.requantize.push_back(std::move(rq));
  }
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs;
}

int32_t ModelBuilder::Mul(int32_t a, int32_t b, int out_bits) {
  schema::OpT op = NewOp({a, b}, schema::MulT());
  op.outputs.push_back(Tensor(Dims(ShapeOf(a)), out_bits));
  op.requantize.push_back(Scaling(op.outputs[0], MaxLevel(BitsOf(a)) * MaxLevel(BitsOf(b)) * 0.2, 1));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Concat(const std::vector<int32_t>& inputs, int32_t axis, int out_bits, bool has_thresholds) {
  schema::ConcatT concat;
  concat.axis = axis;
  schema::OpT op = NewOp(inputs, std::move(concat));
  Dims shape = ShapeOf(inputs[0]);
  shape[static_cast<size_t>(axis)] = 0;
  for (const int32_t in : inputs) {
    shape[static_cast<size_t>(axis)] += ShapeOf(in)[static_cast<size_t>(axis)];
    auto rq = std::make_unique<schema::RequantizeT>();
    rq->ratio.push_back(4096 * MaxLevel(out_bits) / MaxLevel(BitsOf(in)) * Uniform(50, 130) / 100);
    rq->offset.push_back(MaxLevel(out_bits) * 64 + Uniform(0, 255));
    op.requantize.push_back(std::move(rq));
  }
  // The last input is taken over unchanged where that is possible.
  const auto& last = *model.tensors[static_cast<size_t>(inputs.back())];
  if (last.bits <= out_bits) {
    op.requantize.back()->ratio[0] = 4096;
    op.requantize.back()->offset[0] = last.zero_point << kFractionBits;
  }
  op.outputs.push_back(Tensor(shape, out_bits, has_thresholds));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Pool(int32_t in, const schema::PoolT& pool, int out_bits) {
  const Dims shape = ShapeOf(in);
  const Dims out = {1, WindowOut(shape[1], pool.pad_top, pool.pad_bottom, pool.kernel_h, 1, pool.stride_h),
                    WindowOut(shape[2], pool.pad_left, pool.pad_right, pool.kernel_w, 1, pool.stride_w), shape[3]};
  schema::OpT op = NewOp({in}, schema::PoolT(pool));
  if (pool.kind == schema::PoolKind::Max) {
    op.outputs.push_back(SameTensor(out, in));
  } else {
    op.outputs.push_back(Tensor(out, out_bits));
    auto rq = std::make_unique<schema::RequantizeT>();
    const int taps = pool.kernel_h * pool.kernel_w;
    for (int count = pool.count_include_pad ? taps : 1; count <= taps; ++count) {
      SetMultiplier(1.0 * MaxLevel(out_bits == 32 ? 8 : out_bits) / MaxLevel(BitsOf(in)) / count, rq.get());
    }
    rq->offset.push_back(MaxLevel(out_bits == 32 ? 8 : out_bits) * 120);
    op.requantize.push_back(std::move(rq));
  }
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Lookup(int32_t in, int out_bits) {
  schema::LookupT lookup;
  for (int i = 0; i <= MaxLevel(BitsOf(in)); ++i) {
    lookup.table.push_back(static_cast<uint8_t>(Uniform(0, MaxLevel(out_bits))));
  }
  schema::OpT op = NewOp({in}, std::move(lookup));
  op.outputs.push_back(Tensor(Dims(ShapeOf(in)), out_bits));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Reshape(int32_t in, const Dims& shape) {
  schema::OpT op = NewOp({in}, schema::ReshapeT());
  op.outputs.push_back(SameTensor(shape, in));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Transpose(int32_t in, const Dims& permutation) {
  schema::TransposeT transpose;
  transpose.permutation = permutation;
  schema::OpT op = NewOp({in}, std::move(transpose));
  Dims shape;
  for (const int32_t from : permutation) shape.push_back(ShapeOf(in)[static_cast<size_t>(from)]);
  op.outputs.push_back(SameTensor(shape, in));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Slice(int32_t in, const Dims& begin, const Dims& stride, const Dims& shape) {
  schema::SliceT slice;
  slice.begin = begin;
  slice.stride = stride;
  schema::OpT op = NewOp({in}, std::move(slice));
  op.outputs.push_back(SameTensor(shape, in));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

int32_t ModelBuilder::Pad(int32_t in, const Dims& before, const Dims& after) {
  schema::PadT pad;
  pad.before = before;
  pad.after = after;
  schema::OpT op = NewOp({in}, std::move(pad));
  Dims shape = ShapeOf(in);
  for (size_t i = 0; i < shape.size(); ++i) shape[i] += before[i] + after[i];
  op.outputs.push_back(SameTensor(shape, in));
  model.ops.push_back(std::make_unique<schema::OpT>(std::move(op)));
  return model.ops.back()->outputs[0];
}

void ModelBuilder::Metadata(const std::string& key, const std::string& value) {
  auto pair = std::make_unique<schema::KeyValueT>();
  pair->key = key;
  pair->value = value;
  model.metadata.push_back(std::move(pair));
}

Bytes ModelBuilder::Build() {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);
  model.segments = LayoutSegments(segments);
  schema::FinishModelBuffer(builder, schema::Model::Pack(builder, &model));
  return AssembleFile({builder.GetBufferPointer(), builder.GetSize()}, segments);
}

}  // namespace aq::test
