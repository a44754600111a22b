// SPDX-License-Identifier: Apache-2.0
// Builds small random models with the FlatBuffers object API for the runtime's tests. Not a converter: scales are made
// up, but every number is one the converter could emit.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "schema/model_generated.h"

namespace aq::test {

using Dims = std::vector<int32_t>;
using Bytes = std::vector<uint8_t>;

struct ConvSpec {
  int32_t n = 8, kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0, groups = 1;
  int weight_bits = 8;
  std::vector<int8_t> codebook = {};  // empty: two's complement
  bool is_asymmetric = false;
  bool has_pad_codes = false;
  bool is_per_channel = true;
  bool has_thresholds = false;  // of 2-bit outputs
  int32_t residual = -1;        // tensor
  std::vector<int> out_bits = {8};
};

// 3x3 taps and one pixel of padding on every side.
inline ConvSpec Padded3x3(ConvSpec spec) {
  spec.kernel_h = spec.kernel_w = 3;
  spec.pad_top = spec.pad_left = spec.pad_bottom = spec.pad_right = 1;
  return spec;
}

class ModelBuilder {
 public:
  explicit ModelBuilder(uint32_t seed) : random_(seed) {}

  int32_t Input(const Dims& shape, int bits);
  int32_t Tensor(const Dims& shape, int bits, bool has_thresholds = false);
  int32_t SameTensor(const Dims& shape, int32_t like);  // the quantisation of another
  void Output(int32_t tensor) { model.outputs.push_back(tensor); }

  std::vector<int32_t> Conv(int32_t in, const ConvSpec& spec);
  std::vector<int32_t> Dense(int32_t in, const ConvSpec& spec, bool is_flat);
  std::vector<int32_t> Add(int32_t a, int32_t b, std::vector<int> out_bits, bool has_thresholds = false);
  int32_t Mul(int32_t a, int32_t b, int out_bits);
  int32_t Concat(const std::vector<int32_t>& inputs, int32_t axis, int out_bits, bool has_thresholds = false);
  int32_t Pool(int32_t in, const schema::PoolT& pool, int out_bits);
  int32_t Lookup(int32_t in, int out_bits);
  int32_t Reshape(int32_t in, const Dims& shape);
  int32_t Transpose(int32_t in, const Dims& permutation);
  int32_t Slice(int32_t in, const Dims& begin, const Dims& stride, const Dims& shape);
  int32_t Pad(int32_t in, const Dims& before, const Dims& after);
  void Metadata(const std::string& key, const std::string& value);

  // The finished file. Defaults are stored too, so that sweeps over bytes reach every scalar.
  Bytes Build();

  int Uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  schema::ModelT model;
  std::vector<Bytes> segments;

 private:
  const Dims& ShapeOf(int32_t tensor) const { return model.tensors[static_cast<size_t>(tensor)]->shape; }
  int BitsOf(int32_t tensor) const { return model.tensors[static_cast<size_t>(tensor)]->bits; }
  std::unique_ptr<schema::WeightsT> Weights(const ConvSpec& spec, int32_t k, int32_t max_code, double* deviation);
  std::vector<int32_t> Layer(schema::OpT op, const ConvSpec& spec, const Dims& out_shape, double deviation);
  std::unique_ptr<schema::RequantizeT> Scaling(int32_t out, double deviation, size_t entries);
  template <class Attributes>
  schema::OpT NewOp(std::vector<int32_t> inputs, Attributes attributes);

  std::mt19937 random_;
};

}  // namespace aq::test
