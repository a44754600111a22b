// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/reference_model.h"

#include <algorithm>

#include "kernels/numerics.h"

namespace aq::test {
namespace {

template <class T>
T Entry(const std::vector<T>& values, size_t i, T absent) {
  return values.empty() ? absent : values[values.size() == 1 ? 0 : i];
}

Scaling ScalingOf(const schema::RequantizeT& rq, size_t i) {
  return {Entry(rq.multiplier, i, 1 << 30), Entry(rq.shift, i, int8_t{0}), Entry(rq.offset, i, 0),
          Entry(rq.ratio, i, 0), Entry(rq.residual_ratio, i, 0)};
}

int32_t Quantize(int64_t v, const schema::TensorT& out, size_t channel) {
  Rounding rounding;
  rounding.bits = out.bits;
  if (!out.border.empty()) std::copy(out.border.begin(), out.border.end(), rounding.border);
  return QuantizeOne(v, rounding, out.channel_thresholds.empty() ? nullptr : &out.channel_thresholds[channel * 3]);
}

struct Runner {
  const schema::ModelT& model;
  const std::vector<Bytes>& segments;
  std::vector<Codes> values;

  const schema::TensorT& TensorAt(int32_t i) const { return *model.tensors[static_cast<size_t>(i)]; }
  Codes& At(int32_t i) { return values[static_cast<size_t>(i)]; }
  size_t Channels(int32_t i) const { return static_cast<size_t>(TensorAt(i).shape.back()); }
  static size_t Count(const Dims& shape) {
    size_t count = 1;
    for (const int32_t dim : shape) count *= static_cast<size_t>(dim);
    return count;
  }

  // Stores accumulators, plus the residual if any, as each output.
  void Store(const schema::OpT& op, const std::vector<int32_t>& acc) {
    for (size_t o = 0; o < op.outputs.size(); ++o) {
      const auto& out = TensorAt(op.outputs[o]);
      for (size_t i = 0; i < acc.size(); ++i) {
        const size_t channel = i % Channels(op.outputs[o]);
        const Scaling s = ScalingOf(*op.requantize[o], channel);
        int64_t v = ScaleOne(acc[i], s);
        if (op.inputs.size() == 2)
          v = ScaleWithResidual(acc[i], At(op.inputs[1])[i] - TensorAt(op.inputs[1]).zero_point, s);
        At(op.outputs[o])[i] = Quantize(v, out, channel);
      }
    }
  }

  void Layer(const schema::OpT& op, const schema::WeightsT& w, const schema::Conv2DT& conv, Dims in, Dims out) {
    const Codes& x = At(op.inputs[0]);
    const int32_t k_per_group = in[3] / conv.groups, n_per_group = out[3] / conv.groups;
    const Bytes& codes = segments[w.segment];
    std::vector<int32_t> acc(Count(out));
    size_t at = 0;
    for (int32_t y = 0; y < out[1]; ++y)
      for (int32_t xx = 0; xx < out[2]; ++xx)
        for (int32_t n = 0; n < out[3]; ++n) {
          int64_t sum = w.bias[static_cast<size_t>(n)];
          size_t code = static_cast<size_t>(n) * static_cast<size_t>(conv.kernel_h * conv.kernel_w * k_per_group);
          for (int32_t i = 0; i < conv.kernel_h; ++i)
            for (int32_t j = 0; j < conv.kernel_w; ++j)
              for (int32_t k = 0; k < k_per_group; ++k, ++code) {
                const int32_t row = y * conv.stride_h - conv.pad_top + i * conv.dilation_h;
                const int32_t column = xx * conv.stride_w - conv.pad_left + j * conv.dilation_w;
                const int32_t channel = n / n_per_group * k_per_group + k;
                int32_t a = conv.pad_codes.empty() ? TensorAt(op.inputs[0]).zero_point
                                                   : conv.pad_codes[static_cast<size_t>(channel)];
                if (row >= 0 && row < in[1] && column >= 0 && column < in[2]) {
                  a = x[static_cast<size_t>((row * in[2] + column) * in[3] + channel)];
                }
                const int8_t* codebook = w.codebook.empty() ? nullptr : w.codebook.data();
                const int32_t value = DecodeWeight(CodeAt(codes.data(), code, w.bits), w.bits, codebook);
                sum += int64_t{value - (w.zero_point.empty() ? 0 : w.zero_point[static_cast<size_t>(n)])} * a;
              }
          acc[at++] = static_cast<int32_t>(sum);
        }
    Store(op, acc);
  }

  void Run(const schema::OpT& op, const schema::Conv2DT& conv) {
    Layer(op, *conv.weights, conv, TensorAt(op.inputs[0]).shape, TensorAt(op.outputs[0]).shape);
  }
  void Run(const schema::OpT& op, const schema::DenseT& dense) {
    const auto k = static_cast<int32_t>(Channels(op.inputs[0])), n = static_cast<int32_t>(Channels(op.outputs[0]));
    Layer(op, *dense.weights, schema::Conv2DT(), {1, 1, 1, k}, {1, 1, 1, n});
  }
  void Run(const schema::OpT& op, const schema::AddT&) {
    for (size_t o = 0; o < op.outputs.size(); ++o) {
      for (size_t i = 0; i < At(op.outputs[o]).size(); ++i) {
        const size_t channel = i % Channels(op.outputs[o]);
        const int32_t a = At(op.inputs[0])[i] - TensorAt(op.inputs[0]).zero_point;
        const int32_t b = At(op.inputs[1])[i] - TensorAt(op.inputs[1]).zero_point;
        const int64_t v = AddOne(a, b, ScalingOf(*op.requantize[o], channel));
        At(op.outputs[o])[i] = Quantize(v, TensorAt(op.outputs[o]), channel);
      }
    }
  }
  void Run(const schema::OpT& op, const schema::MulT&) {
    const Codes& b = At(op.inputs[1]);
    Codes& out = At(op.outputs[0]);
    for (size_t i = 0; i < out.size(); ++i) {
      const size_t channel = i % Channels(op.outputs[0]);
      const int32_t factor = b.size() == out.size() ? b[i] : b[channel];
      const int32_t acc =
          (At(op.inputs[0])[i] - TensorAt(op.inputs[0]).zero_point) * (factor - TensorAt(op.inputs[1]).zero_point);
      out[i] = Quantize(ScaleOne(acc, ScalingOf(*op.requantize[0], channel)), TensorAt(op.outputs[0]), channel);
    }
  }
  void Run(const schema::OpT& op, const schema::ConcatT& concat) {
    const Dims& shape = TensorAt(op.outputs[0]).shape;
    const size_t axis = static_cast<size_t>(concat.axis);
    for (size_t i = 0; i < Count(shape); ++i) {
      // Coordinates of output element i; then which input owns it.
      std::vector<size_t> at(shape.size());
      size_t rest = i;
      for (size_t d = shape.size(); d-- > 0; rest /= static_cast<size_t>(shape[d]))
        at[d] = rest % static_cast<size_t>(shape[d]);
      const size_t channel = at.back();
      size_t part = 0;
      const auto extent = [&] { return static_cast<size_t>(TensorAt(op.inputs[part]).shape[axis]); };
      while (at[axis] >= extent()) at[axis] -= extent(), ++part;
      size_t index = 0;
      for (size_t d = 0; d < shape.size(); ++d) {
        index = index * static_cast<size_t>(TensorAt(op.inputs[part]).shape[d]) + at[d];
      }
      const int32_t a = At(op.inputs[part])[index] - TensorAt(op.inputs[part]).zero_point;
      At(op.outputs[0])[i] =
          Quantize(AddOne(a, 0, ScalingOf(*op.requantize[part], 0)), TensorAt(op.outputs[0]), channel);
    }
  }
  void Run(const schema::OpT& op, const schema::PoolT& pool) {
    const Dims& in = TensorAt(op.inputs[0]).shape;
    const Dims& out = TensorAt(op.outputs[0]).shape;
    size_t at = 0;
    for (int32_t y = 0; y < out[1]; ++y)
      for (int32_t x = 0; x < out[2]; ++x)
        for (int32_t c = 0; c < out[3]; ++c) {
          int32_t highest = 0, sum = 0;
          size_t count = 0;
          for (int32_t i = 0; i < pool.kernel_h; ++i)
            for (int32_t j = 0; j < pool.kernel_w; ++j) {
              const int32_t row = y * pool.stride_h - pool.pad_top + i, column = x * pool.stride_w - pool.pad_left + j;
              if (row < 0 || row >= in[1] || column < 0 || column >= in[2]) continue;
              const int32_t a = At(op.inputs[0])[static_cast<size_t>((row * in[2] + column) * in[3] + c)];
              highest = std::max(highest, a);
              sum += a - TensorAt(op.inputs[0]).zero_point;
              ++count;
            }
          if (pool.kind == schema::PoolKind::Average) {
            const Scaling s = ScalingOf(*op.requantize[0], pool.count_include_pad ? 0 : count - 1);
            highest = Quantize(ScaleOne(sum, s), TensorAt(op.outputs[0]), static_cast<size_t>(c));
          }
          At(op.outputs[0])[at++] = highest;
        }
  }
  void Run(const schema::OpT& op, const schema::LookupT& lookup) {
    for (size_t i = 0; i < At(op.outputs[0]).size(); ++i) {
      At(op.outputs[0])[i] = lookup.table[static_cast<size_t>(At(op.inputs[0])[i])];
    }
  }
  void Run(const schema::OpT& op, const schema::ReshapeT&) { At(op.outputs[0]) = At(op.inputs[0]); }

  // out[index] = in[map(coordinates)], or the zero point where map says -1.
  template <class Map>
  void Move(const schema::OpT& op, Map map) {
    const Dims& in = TensorAt(op.inputs[0]).shape;
    const Dims& out = TensorAt(op.outputs[0]).shape;
    for (size_t i = 0; i < Count(out); ++i) {
      Dims at(out.size());
      size_t rest = i;
      for (size_t d = out.size(); d-- > 0; rest /= static_cast<size_t>(out[d])) {
        at[d] = static_cast<int32_t>(rest % static_cast<size_t>(out[d]));
      }
      const Dims from = map(at);
      bool is_inside = true;
      size_t index = 0;
      for (size_t d = 0; d < in.size(); ++d) {
        is_inside = is_inside && from[d] >= 0 && from[d] < in[d];
        index = index * static_cast<size_t>(in[d]) + static_cast<size_t>(from[d]);
      }
      At(op.outputs[0])[i] = is_inside ? At(op.inputs[0])[index] : TensorAt(op.inputs[0]).zero_point;
    }
  }
  void Run(const schema::OpT& op, const schema::TransposeT& transpose) {
    Move(op, [&](const Dims& at) {
      Dims from(at.size());
      for (size_t d = 0; d < at.size(); ++d) from[static_cast<size_t>(transpose.permutation[d])] = at[d];
      return from;
    });
  }
  void Run(const schema::OpT& op, const schema::SliceT& slice) {
    Move(op, [&](Dims at) {
      for (size_t d = 0; d < at.size(); ++d) at[d] = slice.begin[d] + at[d] * slice.stride[d];
      return at;
    });
  }
  void Run(const schema::OpT& op, const schema::PadT& pad) {
    Move(op, [&](Dims at) {
      for (size_t d = 0; d < at.size(); ++d) at[d] -= pad.before[d];
      return at;
    });
  }
};

}  // namespace

std::vector<Codes> RunReference(const schema::ModelT& model, const std::vector<Bytes>& segments,
                                const std::vector<Codes>& inputs) {
  Runner runner{model, segments, {}};
  for (const auto& tensor : model.tensors) runner.values.emplace_back(Runner::Count(tensor->shape));
  for (size_t i = 0; i < inputs.size(); ++i) runner.At(model.inputs[i]) = inputs[i];
  for (const auto& op : model.ops) {
    switch (op->attributes.type) {
#define AQ_OP(name)                              \
  case schema::OpAttributes::name:               \
    runner.Run(*op, *op->attributes.As##name()); \
    break;
#include "runtime/ops.inc"
#undef AQ_OP
      case schema::OpAttributes::NONE:
        break;
    }
  }
  return runner.values;
}

}  // namespace aq::test
