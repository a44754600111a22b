// SPDX-License-Identifier: Apache-2.0
// The same layers through XNNPACK's int8 convolutions (qc8: a scale per output channel), once each, between marks.
#include <xnnpack.h>

#include <cmath>
#include <vector>

#include "bench/arm_model/layers.h"

int main(int argc, char** argv) {
  if (argc != 2 || xnn_initialize(nullptr) != xnn_status_success) return 2;
  for (const Layer& layer : kLayers) {
    const auto u = [](int value) { return static_cast<uint32_t>(value); };
    const size_t in_c = size_t(layer.in_c), out_c = size_t(layer.out_c), groups = size_t(layer.groups);
    const size_t taps = size_t(layer.kernel * layer.kernel), size = size_t(layer.size);
    const std::vector<int8_t> input(size * size * in_c + XNN_EXTRA_BYTES), weights(out_c * taps * in_c / groups);
    std::vector<int8_t> output(size_t(layer.out_size() * layer.out_size()) * out_c + XNN_EXTRA_BYTES);
    const std::vector<int32_t> bias(out_c);
    const std::vector<float> scales(out_c, 1.0f);
    const uint32_t pad = u(layer.kernel / 2), kernel = u(layer.kernel), stride = u(layer.stride);
    xnn_operator_t op = nullptr;
    if (xnn_create_convolution2d_nhwc_qc8(pad, pad, pad, pad, kernel, kernel, stride, stride, 1, 1, u(layer.groups),
                                          in_c / groups, out_c / groups, in_c, out_c, 0, 1.0f, scales.data(),
                                          weights.data(), bias.data(), 0, 1000.0f, INT8_MIN, INT8_MAX, 0,
                                          &op) != xnn_status_success ||
        xnn_setup_convolution2d_nhwc_qc8(op, 1, size, size, input.data(), output.data(), nullptr) !=
            xnn_status_success) {
      std::fprintf(stderr, "xnnpack_guest: no %s\n", layer.name);
      return 1;
    }
    Count(argv[1], "W8A8", layer, "qc8", [&] { xnn_run_operator(op, nullptr); });
    xnn_delete_operator(op);
  }
  return 0;
}
