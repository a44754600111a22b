// SPDX-License-Identifier: Apache-2.0
// One random convolution in the file's form: weights, bias, borders, input, and its result by the reference loops.
#pragma once

#include <deque>

#include "kernels/gemm/pack.h"
#include "kernels/gemm/reference.h"
#include "tests/kernels/test_data.h"

namespace aq {

struct CaseOptions {
  int weight_bits = 8;        // of the file's codes
  int max_code = 255;         // of the input
  int max_weight = 128;       // largest |codebook value|, with 8 bits largest |weight|
  bool has_codebook = false;  // random values in [-max_weight, max_weight], one of them 0
  bool has_weight_zero_points = false;
  int max_zero_point = 128;
  int max_bias = 5000;
  bool has_residual = false;
  bool has_thresholds = false;
  bool pads_with_zero = false;
  bool is_extreme = false;  // each channel's weights the lowest or all the highest, top activations
  std::vector<int> output_bits = {8};
};

struct ConvolutionCase {
  reference::Convolution file;
  int max_code;
  std::vector<uint8_t> codes, pad_codes;
  std::vector<int8_t> codebook, zero_points;
  std::vector<int32_t> bias, bounds;
  std::deque<RandomRequantize> outputs;
  std::vector<RequantizeSource> sources;
  std::vector<Requantize> prepared;
  std::vector<uint8_t> input, residual;
  std::vector<std::vector<int32_t>> expected;

  ConvolutionCase(Random& random, const ConvGeometry& g, const CaseOptions& options) : max_code(options.max_code) {
    const size_t n = static_cast<size_t>(g.out_c), k = static_cast<size_t>(g.in_c / g.groups);
    const size_t row = static_cast<size_t>(g.kernel_h * g.kernel_w) * k, count = n * row;
    const size_t positions = static_cast<size_t>(g.out_h * g.out_w) * n;
    const int bits = options.weight_bits;
    if (options.has_codebook) {
      for (int i = 0; i < 1 << bits; ++i) {
        codebook.push_back(static_cast<int8_t>(random.Int(-options.max_weight, std::min(options.max_weight, 127))));
      }
      codebook[0] = static_cast<int8_t>(-options.max_weight);
      codebook[static_cast<size_t>(random.Int(1, MaxLevel(bits)))] = 0;
    }
    const int8_t* book = codebook.empty() ? nullptr : codebook.data();
    uint8_t extreme[2] = {0, 0};  // codes of the lowest and the highest value
    for (int i = 0; i < 1 << bits; ++i) {
      const uint8_t code = static_cast<uint8_t>(i);
      if (DecodeWeight(code, bits, book) < DecodeWeight(extreme[0], bits, book)) extreme[0] = code;
      if (DecodeWeight(code, bits, book) > DecodeWeight(extreme[1], bits, book)) extreme[1] = code;
    }
    codes.resize(count + 8);
    for (size_t i = 0; i < count; ++i) {
      SetCodeAt(codes.data(), i, bits, options.is_extreme ? extreme[i / row % 2] : random.Byte(MaxLevel(bits)));
      if (bits == 8 && std::abs(int{static_cast<int8_t>(codes[i])}) > options.max_weight) {
        codes[i] = static_cast<uint8_t>(-options.max_weight);
      }
    }
    for (size_t i = 0; i < n; ++i) {
      if (options.has_weight_zero_points) {
        const int zero = options.max_zero_point;
        zero_points.push_back(static_cast<int8_t>(random.Int(-zero, std::min(zero, 127))));
      }
      bias.push_back(random.Int(-options.max_bias, options.max_bias));
      AccumulatorBound bound;
      for (size_t j = 0; j < row; ++j) {
        const int zero = zero_points.empty() ? 0 : zero_points[i];
        bound.Add(DecodeWeight(CodeAt(codes.data(), i * row + j, bits), bits, book) - zero, options.max_code);
      }
      bounds.push_back(static_cast<int32_t>(bound.sum + options.max_bias));
    }
    for (int output_bits : options.output_bits) {
      outputs.emplace_back(random, n, bounds,
                           RandomRequantize::Options{.bits = output_bits,
                                                     .has_residual = options.has_residual,
                                                     .is_per_channel = !random.OneIn(3),
                                                     .has_thresholds = options.has_thresholds && output_bits == 2,
                                                     .want_acc_thresholds = output_bits == 2 && random.OneIn(2)});
      sources.push_back(outputs.back().source);
      prepared.push_back(outputs.back().prepared);
    }
    const auto code = [&] {
      return options.is_extreme ? static_cast<uint8_t>(options.max_code) : random.Byte(options.max_code);
    };
    input.resize(static_cast<size_t>(g.in_h * g.in_w * g.in_c));
    for (uint8_t& value : input) value = code();
    for (int c = 0; c < g.in_c; ++c) pad_codes.push_back(random.Byte(options.max_code));
    if (options.pads_with_zero) pad_codes.assign(pad_codes.size(), 0);
    if (options.has_residual) {
      residual.resize(positions);
      for (uint8_t& value : residual) value = random.Byte(255);
    }

    file = {.geometry = g,
            .codes = codes.data(),
            .bits = bits,
            .codebook = book,
            .weight_zero_points = zero_points.empty() ? nullptr : zero_points.data(),
            .bias = bias.data(),
            .pad_codes = pad_codes.data(),
            .requantize = sources.data(),
            .outputs = static_cast<int>(sources.size())};
    std::vector<int32_t*> out;
    for (size_t o = 0; o < sources.size(); ++o) {
      expected.emplace_back(positions);
      out.push_back(expected.back().data());
    }
    reference::Convolve(file, input.data(), residual.empty() ? nullptr : residual.data(), out.data());
  }
  ConvolutionCase(const ConvolutionCase&) = delete;
};

inline ConvGeometry Geometry(int in_h, int in_w, int in_c, int out_c, int kernel, int stride, int pad, int dilation,
                             int groups) {
  const int reach = dilation * (kernel - 1) + 1;
  return {.in_h = in_h,
          .in_w = in_w,
          .in_c = in_c,
          .out_h = (in_h + 2 * pad - reach) / stride + 1,
          .out_w = (in_w + 2 * pad - reach) / stride + 1,
          .out_c = out_c,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .dilation_h = dilation,
          .dilation_w = dilation,
          .pad_top = pad,
          .pad_left = pad,
          .groups = groups};
}

// Input, residual and outputs as a kernel may get them: exact blocks, then kReadSlack (inputs) or nothing (outputs).
struct ConvolutionBuffers {
  GuardedBuffer input, residual, pad_row;
  std::deque<GuardedBuffer> outputs;
  std::vector<void*> out;
  const uint8_t* residual_or_null;

  explicit ConvolutionBuffers(const ConvolutionCase& c)
      : input(c.input.size(), kReadSlack),
        residual(c.residual.size(), kReadSlack),
        pad_row(c.pad_codes.size(), kReadSlack),
        residual_or_null(c.residual.empty() ? nullptr : residual.data()) {
    std::copy(c.input.begin(), c.input.end(), input.data());
    std::copy(c.residual.begin(), c.residual.end(), residual.data());
    std::copy(c.pad_codes.begin(), c.pad_codes.end(), pad_row.data());
    input.MakeReadOnly();
    residual.MakeReadOnly();
    pad_row.MakeReadOnly();
    for (size_t o = 0; o < c.prepared.size(); ++o) {
      outputs.emplace_back(c.expected[o].size() * OutputBytes(c.prepared[o]), 0);
      out.push_back(outputs.back().data());
    }
  }
  // The first wrong value as text, or "".
  std::string FirstDifference(const ConvolutionCase& c) {
    for (size_t o = 0; o < c.prepared.size(); ++o) {
      for (size_t i = 0; i < c.expected[o].size(); ++i) {
        const int32_t actual = OutputAt(c.prepared[o], outputs[o].data(), i);
        if (actual == c.expected[o][i]) continue;
        return "output " + std::to_string(o) + ", position " + std::to_string(i) + ": " + std::to_string(actual) +
               " instead of " + std::to_string(c.expected[o][i]);
      }
    }
    return "";
  }
};

}  // namespace aq
