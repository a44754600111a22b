// SPDX-License-Identifier: Apache-2.0
#include "converter/simulate.h"

#include <algorithm>

#include "kernels/numerics.h"

namespace aq::converter {
namespace {

struct Image {
  int h = 1, w = 1, c = 1;
};

Image ImageOf(const schema::TensorT& tensor) {
  if (tensor.shape.size() == 4) return {tensor.shape[1], tensor.shape[2], tensor.shape[3]};
  return {1, 1, tensor.shape.back()};
}

size_t ElementsOf(const schema::TensorT& tensor) {
  size_t elements = 1;
  for (const int32_t dim : tensor.shape) elements *= static_cast<size_t>(dim);
  return elements;
}

template <class T>
T At(const std::vector<T>& values, size_t channel) {
  return values.empty() ? T{} : values[values.size() == 1 ? 0 : channel];
}

// Per-channel scalings and the rounding of one output.
struct OutputRule {
  std::vector<Scaling> scaling;
  Rounding rounding;
  const uint16_t* thresholds = nullptr;
  Codes* out = nullptr;

  OutputRule(const schema::TensorT& tensor, const schema::RequantizeT& rq, size_t entries, Codes* codes) : out(codes) {
    for (size_t i = 0; i < entries; ++i)
      scaling.push_back(
          {At(rq.multiplier, i), At(rq.shift, i), At(rq.offset, i), At(rq.ratio, i), At(rq.residual_ratio, i)});
    rounding.bits = tensor.bits;
    if (!tensor.border.empty()) std::copy(tensor.border.begin(), tensor.border.end(), rounding.border);
    if (!tensor.channel_thresholds.empty()) thresholds = tensor.channel_thresholds.data();
    if (tensor.bits == 32)
      out->wide.resize(ElementsOf(tensor));
    else
      out->codes.resize(ElementsOf(tensor));
  }
  void Store(size_t index, size_t channel, int64_t v) const {
    const int32_t code = QuantizeOne(v, rounding, thresholds ? thresholds + channel * kThresholds : nullptr);
    if (rounding.bits == 32)
      out->wide[index] = code;
    else
      out->codes[index] = static_cast<uint8_t>(code);
  }
};

int32_t Dot(const int16_t* a, const int16_t* b, size_t count) {
  int32_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += int32_t{a[i]} * b[i];
  return sum;
}

// Positions along one spatial dimension of a window; -1 outside the image.
int Position(int out, int stride, int tap, int dilation, int pad, int size) {
  const int position = out * stride + tap * dilation - pad;
  return position < 0 || position >= size ? -1 : position;
}

void ConvolveDepthwise(const schema::Conv2DT& conv, const std::vector<int16_t>& weights,
                       const std::vector<int32_t>& bias, Image in, Image out, const uint8_t* codes,
                       const std::vector<uint8_t>& pad, int32_t* acc) {
  const size_t channels = static_cast<size_t>(in.c);
  for (int y = 0; y < out.h; ++y) {
    for (int x = 0; x < out.w; ++x, acc += channels) {
      std::copy(bias.begin(), bias.end(), acc);
      for (int ky = 0; ky < conv.kernel_h; ++ky) {
        for (int kx = 0; kx < conv.kernel_w; ++kx) {
          const int iy = Position(y, conv.stride_h, ky, conv.dilation_h, conv.pad_top, in.h);
          const int ix = Position(x, conv.stride_w, kx, conv.dilation_w, conv.pad_left, in.w);
          const uint8_t* a =
              iy < 0 || ix < 0
                  ? pad.data()
                  : codes + (static_cast<size_t>(iy) * static_cast<size_t>(in.w) + static_cast<size_t>(ix)) * channels;
          const int16_t* w = weights.data() + static_cast<size_t>(ky * conv.kernel_w + kx) * channels;
          for (size_t c = 0; c < channels; ++c) acc[c] += int32_t{a[c]} * w[c];
        }
      }
    }
  }
}

void ConvolveGroups(const schema::Conv2DT& conv, const std::vector<int16_t>& weights, const std::vector<int32_t>& bias,
                    Image in, Image out, const uint8_t* codes, const std::vector<uint8_t>& pad, int32_t* acc) {
  const size_t groups = static_cast<size_t>(conv.groups), k = static_cast<size_t>(in.c) / groups;
  const size_t taps = static_cast<size_t>(conv.kernel_h * conv.kernel_w), n_group = static_cast<size_t>(out.c) / groups;
  std::vector<int16_t> window(taps * k);
  for (int y = 0; y < out.h; ++y) {
    for (int x = 0; x < out.w; ++x) {
      for (size_t g = 0; g < groups; ++g) {
        int16_t* to = window.data();
        for (int ky = 0; ky < conv.kernel_h; ++ky) {
          for (int kx = 0; kx < conv.kernel_w; ++kx, to += k) {
            const int iy = Position(y, conv.stride_h, ky, conv.dilation_h, conv.pad_top, in.h);
            const int ix = Position(x, conv.stride_w, kx, conv.dilation_w, conv.pad_left, in.w);
            const uint8_t* from =
                iy < 0 || ix < 0 ? pad.data() : codes + static_cast<size_t>(iy * in.w + ix) * static_cast<size_t>(in.c);
            std::copy_n(from + g * k, k, to);
          }
        }
        for (size_t n = g * n_group; n < (g + 1) * n_group; ++n)
          *acc++ = bias[n] + Dot(window.data(), weights.data() + n * window.size(), window.size());
      }
    }
  }
}

// ---- Everything without weights ----

void RunAdd(const IntegerModel& integer, const schema::OpT& op, ImageCodes* tensors) {
  const Codes &a = (*tensors)[static_cast<size_t>(op.inputs[0])], &b = (*tensors)[static_cast<size_t>(op.inputs[1])];
  const int32_t zero_a = integer.Tensor(op.inputs[0]).zero_point, zero_b = integer.Tensor(op.inputs[1]).zero_point;
  for (size_t o = 0; o < op.outputs.size(); ++o) {
    const schema::TensorT& tensor = integer.Tensor(op.outputs[o]);
    const size_t channels = static_cast<size_t>(tensor.shape.back());
    const OutputRule rule(tensor, *op.requantize[o], channels, &(*tensors)[static_cast<size_t>(op.outputs[o])]);
    for (size_t i = 0; i < a.codes.size(); ++i)
      rule.Store(i, i % channels, AddOne(a.codes[i] - zero_a, b.codes[i] - zero_b, rule.scaling[i % channels]));
  }
}

void RunMul(const IntegerModel& integer, const schema::OpT& op, ImageCodes* tensors) {
  const Codes &a = (*tensors)[static_cast<size_t>(op.inputs[0])], &b = (*tensors)[static_cast<size_t>(op.inputs[1])];
  const int32_t zero_a = integer.Tensor(op.inputs[0]).zero_point, zero_b = integer.Tensor(op.inputs[1]).zero_point;
  const schema::TensorT& tensor = integer.Tensor(op.outputs[0]);
  const size_t channels = static_cast<size_t>(tensor.shape.back());
  const OutputRule rule(tensor, *op.requantize[0], channels, &(*tensors)[static_cast<size_t>(op.outputs[0])]);
  for (size_t i = 0; i < a.codes.size(); ++i) {
    const int32_t acc = (a.codes[i] - zero_a) * (b.codes[i % b.codes.size()] - zero_b);  // [c] repeats per pixel
    rule.Store(i, i % channels, ScaleOne(acc, rule.scaling[i % channels]));
  }
}

void RunConcat(const IntegerModel& integer, const schema::OpT& op, const schema::ConcatT& concat, ImageCodes* tensors) {
  const schema::TensorT& tensor = integer.Tensor(op.outputs[0]);
  const size_t axis = static_cast<size_t>(concat.axis), channels = static_cast<size_t>(tensor.shape.back());
  size_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(tensor.shape[d]);
  const size_t stride = ElementsOf(tensor) / outer;
  size_t begin = 0;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const Codes& in = (*tensors)[static_cast<size_t>(op.inputs[i])];
    const int32_t zero = integer.Tensor(op.inputs[i]).zero_point;
    const OutputRule rule(tensor, *op.requantize[i], channels, &(*tensors)[static_cast<size_t>(op.outputs[0])]);
    const size_t run = in.codes.size() / outer;
    for (size_t o = 0; o < outer; ++o)
      for (size_t j = 0; j < run; ++j) {
        const size_t index = o * stride + begin + j, channel = index % channels;
        rule.Store(index, channel, AddOne(in.codes[o * run + j] - zero, 0, rule.scaling[channel]));
      }
    begin += run;
  }
}

void RunPool(const IntegerModel& integer, const schema::OpT& op, const schema::PoolT& pool, ImageCodes* tensors) {
  const bool is_average = pool.kind == schema::PoolKind::Average;
  const schema::TensorT &in_tensor = integer.Tensor(op.inputs[0]), &out_tensor = integer.Tensor(op.outputs[0]);
  const Image in = ImageOf(in_tensor), out = ImageOf(out_tensor);
  const std::vector<uint8_t>& codes = (*tensors)[static_cast<size_t>(op.inputs[0])].codes;
  Codes& result = (*tensors)[static_cast<size_t>(op.outputs[0])];
  const size_t entries = is_average && !pool.count_include_pad ? static_cast<size_t>(pool.kernel_h * pool.kernel_w) : 1;
  const schema::RequantizeT none;
  const OutputRule rule(out_tensor, is_average ? *op.requantize[0] : none, entries, &result);
  const size_t channels = static_cast<size_t>(in.c);
  std::vector<int32_t> best(channels), sum(channels);
  size_t index = 0;
  for (int y = 0; y < out.h; ++y) {
    for (int x = 0; x < out.w; ++x) {
      std::fill(best.begin(), best.end(), 0);
      std::fill(sum.begin(), sum.end(), 0);
      size_t count = 0;
      for (int ky = 0; ky < pool.kernel_h; ++ky) {
        for (int kx = 0; kx < pool.kernel_w; ++kx) {
          const int iy = Position(y, pool.stride_h, ky, 1, pool.pad_top, in.h),
                    ix = Position(x, pool.stride_w, kx, 1, pool.pad_left, in.w);
          if (iy < 0 || ix < 0) continue;
          ++count;
          const uint8_t* a = codes.data() + static_cast<size_t>(iy * in.w + ix) * channels;
          for (size_t c = 0; c < channels; ++c) {
            best[c] = std::max(best[c], int32_t{a[c]});
            sum[c] += a[c] - in_tensor.zero_point;
          }
        }
      }
      for (size_t c = 0; c < channels; ++c, ++index) {
        if (is_average)
          rule.Store(index, c, ScaleOne(sum[c], rule.scaling[entries == 1 ? 0 : count - 1]));
        else
          result.codes[index] = static_cast<uint8_t>(best[c]);
      }
    }
  }
}

// Walks all positions of a tensor in memory order.
template <class Visit>
void ForEachPosition(const std::vector<int32_t>& shape, const Visit& visit) {
  std::vector<int32_t> position(shape.size());
  for (size_t index = 0;; ++index) {
    visit(index, position);
    size_t d = shape.size();
    while (d > 0 && ++position[d - 1] == shape[d - 1]) position[--d] = 0;
    if (d == 0) return;
  }
}

// Transpose, slice and pad: each output position comes from one input position, or from nowhere (`padding`).
template <class Source>
void RunGather(const IntegerModel& integer, const schema::OpT& op, const Source& source, ImageCodes* tensors) {
  const schema::TensorT &in = integer.Tensor(op.inputs[0]), &out = integer.Tensor(op.outputs[0]);
  const std::vector<uint8_t>& codes = (*tensors)[static_cast<size_t>(op.inputs[0])].codes;
  std::vector<uint8_t>& result = (*tensors)[static_cast<size_t>(op.outputs[0])].codes;
  result.resize(ElementsOf(out));
  std::vector<int32_t> from(in.shape.size());
  ForEachPosition(out.shape, [&](size_t index, const std::vector<int32_t>& position) {
    source(position, &from);
    size_t offset = 0;
    bool is_inside = true;
    for (size_t d = 0; d < from.size(); ++d) {
      is_inside = is_inside && from[d] >= 0 && from[d] < in.shape[d];
      offset = offset * static_cast<size_t>(in.shape[d]) + static_cast<size_t>(is_inside ? from[d] : 0);
    }
    result[index] = is_inside ? codes[offset] : in.zero_point;
  });
}

}  // namespace

Simulator::Simulator(const IntegerModel* integer) : integer_(integer), layers_(integer->model.ops.size()) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const schema::OpT& op = *integer->model.ops[i];
    const schema::WeightsT* weights = WeightsOf(op);
    if (!weights) continue;
    Layer& layer = layers_[i];
    const std::vector<uint8_t>& codes = integer->segments[weights->segment];
    const size_t channels = weights->bias.size();
    const schema::Conv2DT* conv = op.attributes.AsConv2D();
    const size_t inputs = static_cast<size_t>(integer->Tensor(op.inputs[0]).shape.back());
    layer.is_depthwise = conv && static_cast<size_t>(conv->groups) == channels && inputs == channels && channels > 1;
    const size_t k = conv ? inputs / static_cast<size_t>(conv->groups) : ElementsOf(integer->Tensor(op.inputs[0]));
    const size_t taps = conv ? static_cast<size_t>(conv->kernel_h * conv->kernel_w) : 1, per_channel = taps * k;
    layer.weights.resize(channels * per_channel);
    const int8_t* codebook = weights->codebook.empty() ? nullptr : weights->codebook.data();
    for (size_t n = 0; n < channels; ++n) {
      for (size_t j = 0; j < per_channel; ++j) {
        const int value =
            DecodeWeight(CodeAt(codes.data(), n * per_channel + j, weights->bits), weights->bits, codebook) -
            At(weights->zero_point, n);
        layer.weights[layer.is_depthwise ? j * channels + n : n * per_channel + j] = static_cast<int16_t>(value);
      }
    }
  }
}

std::vector<int32_t> Simulator::Accumulate(size_t index, const ImageCodes& tensors) const {
  const schema::OpT& op = *integer_->model.ops[index];
  const schema::WeightsT& weights = *WeightsOf(op);
  const schema::TensorT& in = integer_->Tensor(op.inputs[0]);
  const std::vector<uint8_t>& codes = tensors[static_cast<size_t>(op.inputs[0])].codes;
  const Layer& layer = layers_[index];
  std::vector<int32_t> acc(ElementsOf(integer_->Tensor(op.outputs[0])));
  const schema::Conv2DT* conv = op.attributes.AsConv2D();
  if (!conv) {
    const std::vector<int16_t> wide(codes.begin(), codes.end());
    for (size_t n = 0; n < acc.size(); ++n)
      acc[n] = weights.bias[n] + Dot(wide.data(), layer.weights.data() + n * wide.size(), wide.size());
    return acc;
  }
  std::vector<uint8_t> pad = conv->pad_codes;
  if (pad.empty()) pad.assign(static_cast<size_t>(in.shape.back()), in.zero_point);
  const Image out = ImageOf(integer_->Tensor(op.outputs[0]));
  (layer.is_depthwise ? ConvolveDepthwise : ConvolveGroups)(*conv, layer.weights, weights.bias, ImageOf(in), out,
                                                            codes.data(), pad, acc.data());
  return acc;
}

void Simulator::Finish(size_t index, const std::vector<int32_t>& acc, ImageCodes* tensors) const {
  const schema::OpT& op = *integer_->model.ops[index];
  const bool has_residual = op.inputs.size() > 1;
  const uint8_t* residual = has_residual ? (*tensors)[static_cast<size_t>(op.inputs[1])].codes.data() : nullptr;
  const int32_t zero = has_residual ? integer_->Tensor(op.inputs[1]).zero_point : 0;
  for (size_t o = 0; o < op.outputs.size(); ++o) {
    const schema::TensorT& tensor = integer_->Tensor(op.outputs[o]);
    const size_t channels = static_cast<size_t>(tensor.shape.back());
    const OutputRule rule(tensor, *op.requantize[o], channels, &(*tensors)[static_cast<size_t>(op.outputs[o])]);
    for (size_t begin = 0; begin < acc.size(); begin += channels) {
      for (size_t c = 0; c < channels; ++c) {
        const size_t i = begin + c;
        rule.Store(i, c,
                   residual ? ScaleWithResidual(acc[i], residual[i] - zero, rule.scaling[c])
                            : ScaleOne(acc[i], rule.scaling[c]));
      }
    }
  }
}

void Simulator::RunOp(size_t index, ImageCodes* tensors) const {
  const schema::OpT& op = *integer_->model.ops[index];
  const std::vector<uint8_t>& in = (*tensors)[static_cast<size_t>(op.inputs[0])].codes;
  std::vector<uint8_t>& out = (*tensors)[static_cast<size_t>(op.outputs[0])].codes;
  switch (op.attributes.type) {
    case schema::OpAttributes::Conv2D:
    case schema::OpAttributes::Dense:
      return Finish(index, Accumulate(index, *tensors), tensors);
    case schema::OpAttributes::Add:
      return RunAdd(*integer_, op, tensors);
    case schema::OpAttributes::Mul:
      return RunMul(*integer_, op, tensors);
    case schema::OpAttributes::Concat:
      return RunConcat(*integer_, op, *op.attributes.AsConcat(), tensors);
    case schema::OpAttributes::Pool:
      return RunPool(*integer_, op, *op.attributes.AsPool(), tensors);
    case schema::OpAttributes::Lookup:
      out.resize(in.size());
      for (size_t i = 0; i < in.size(); ++i) out[i] = op.attributes.AsLookup()->table[in[i]];
      return;
    case schema::OpAttributes::Reshape:
      out = in;
      return;
    case schema::OpAttributes::Transpose:
      return RunGather(
          *integer_, op,
          [&](const std::vector<int32_t>& to, std::vector<int32_t>* from) {
            for (size_t d = 0; d < to.size(); ++d)
              (*from)[static_cast<size_t>(op.attributes.AsTranspose()->permutation[d])] = to[d];
          },
          tensors);
    case schema::OpAttributes::Slice:
      return RunGather(
          *integer_, op,
          [&](const std::vector<int32_t>& to, std::vector<int32_t>* from) {
            const schema::SliceT& slice = *op.attributes.AsSlice();
            for (size_t d = 0; d < to.size(); ++d) (*from)[d] = slice.begin[d] + to[d] * slice.stride[d];
          },
          tensors);
    case schema::OpAttributes::Pad:
      return RunGather(
          *integer_, op,
          [&](const std::vector<int32_t>& to, std::vector<int32_t>* from) {
            for (size_t d = 0; d < to.size(); ++d) (*from)[d] = to[d] - op.attributes.AsPad()->before[d];
          },
          tensors);
    case schema::OpAttributes::NONE:
      break;
  }
  assert(!"an op without attributes");
}

ImageCodes Simulator::Run(std::span<const uint8_t> pixels) const {
  ImageCodes tensors(integer_->model.tensors.size());
  tensors[static_cast<size_t>(integer_->model.inputs[0])].codes.assign(pixels.begin(), pixels.end());
  for (size_t i = 0; i < integer_->model.ops.size(); ++i) RunOp(i, &tensors);
  return tensors;
}

}  // namespace aq::converter
