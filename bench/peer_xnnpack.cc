// SPDX-License-Identifier: Apache-2.0
// The peer XNNPACK: qc8 convolutions (int8, a scale per output channel) and qs8 dense layers. It has no switch for the
// ISA; it asks cpuinfo when it is initialised, so the bits of newer ISAs are hidden while that happens.
#include <cpuinfo.h>
#include <xnnpack.h>

#include <cmath>

#include "bench/peer.h"

namespace aq::bench {
namespace {

// The sum of k products of bytes, brought to 8 bits.
float OutputScale(int k) { return 64.0f * std::sqrt(static_cast<float>(k)); }

std::vector<int8_t> MakeCodes(size_t count) {
  std::vector<int8_t> codes(count);
  uint32_t state = 1;
  for (int8_t& code : codes) {
    state = state * 1664525u + 1013904223u;
    code = static_cast<int8_t>(state >> 24);
  }
  return codes;
}

class XnnpackLayer : public PeerLayer {
 public:
  XnnpackLayer(const ConvGeometry& g)
      : input_(MakeCodes(static_cast<size_t>(g.in_h * g.in_w * g.in_c) + XNN_EXTRA_BYTES)),
        output_(static_cast<size_t>(g.out_h * g.out_w * g.out_c) + XNN_EXTRA_BYTES) {}
  ~XnnpackLayer() override { xnn_delete_operator(op_); }
  XnnpackLayer(const XnnpackLayer&) = delete;

  bool MakeDense(const ConvGeometry& g) {
    const size_t k = static_cast<size_t>(g.in_c), n = static_cast<size_t>(g.out_c);
    const std::vector<int8_t> weights = MakeCodes(n * k);
    const std::vector<int32_t> bias(n, 1);
    return xnn_create_fully_connected_nc_qs8(k, n, k, n, 0, 1.0f, 1.0f, weights.data(), bias.data(), 0,
                                             OutputScale(g.in_c), INT8_MIN, INT8_MAX, 0, &op_) == xnn_status_success &&
           xnn_setup_fully_connected_nc_qs8(op_, 1, input_.data(), output_.data(), nullptr) == xnn_status_success;
  }

  bool MakeConvolution(const ConvGeometry& g) {
    const auto u = [](int value) { return static_cast<uint32_t>(value); };
    const int group_in = g.in_c / g.groups, group_out = g.out_c / g.groups, k = g.kernel_h * g.kernel_w * group_in;
    const size_t in_c = static_cast<size_t>(g.in_c), n = static_cast<size_t>(g.out_c);
    const std::vector<int8_t> weights = MakeCodes(n * static_cast<size_t>(k));
    const std::vector<int32_t> bias(n, 1);
    std::vector<float> scales;
    for (size_t i = 0; i < n; ++i) scales.push_back(1.0f + 0.01f * static_cast<float>(i % 32));
    return xnn_create_convolution2d_nhwc_qc8(u(g.pad_top), u(g.pad_left), u(g.pad_top), u(g.pad_left), u(g.kernel_h),
                                             u(g.kernel_w), u(g.stride_h), u(g.stride_w), u(g.dilation_h),
                                             u(g.dilation_w), u(g.groups), u(group_in), u(group_out), in_c, n, 0, 1.0f,
                                             scales.data(), weights.data(), bias.data(), 0, OutputScale(k), INT8_MIN,
                                             INT8_MAX, 0, &op_) == xnn_status_success &&
           xnn_setup_convolution2d_nhwc_qc8(op_, 1, static_cast<size_t>(g.in_h), static_cast<size_t>(g.in_w),
                                            input_.data(), output_.data(), nullptr) == xnn_status_success;
  }

  void Run() override { xnn_run_operator(op_, nullptr); }
  std::string kernel() const override { return {}; }

 private:
  std::vector<int8_t> input_, output_;
  xnn_operator_t op_ = nullptr;
};

class Xnnpack : public Peer {
 public:
  explicit Xnnpack(const char* isa) : isa_(isa) {}
  std::string description() const override { return std::string("XNNPACK " AQ_XNNPACK_VERSION ", int8, ") + isa_; }
  Result<std::unique_ptr<PeerLayer>> Prepare(const ConvGeometry& g, bool is_dense) override {
    auto layer = std::make_unique<XnnpackLayer>(g);
    if (is_dense ? layer->MakeDense(g) : layer->MakeConvolution(g)) return std::unique_ptr<PeerLayer>(std::move(layer));
    return Error(Code::kUnsupported, "xnnpack: no layer of %d to %d channels, %dx%d kernel", g.in_c, g.out_c,
                 g.kernel_h, g.kernel_w);
  }

 private:
  const char* isa_;
};

// Debian's XNNPACK of 2022 has int8 kernels for sse2, sse4.1, avx, xop, avx2 and avx512skx; none with dot products.
const char* HideNewerThan(Isa isa, cpuinfo_x86_isa* cpu) {
  const bool has_avx512 = cpu->avx512f && cpu->avx512cd && cpu->avx512bw && cpu->avx512dq && cpu->avx512vl;
  if (isa == Isa::kAvx512Vnni && has_avx512) return "avx512skx (it has no VNNI)";
  cpu->avx512f = cpu->avx512cd = cpu->avx512bw = cpu->avx512dq = cpu->avx512vl = cpu->xop = false;
  if (isa != Isa::kScalar) return isa == Isa::kAvx2 ? "avx2" : "avx2 (it has no AVX-VNNI)";
  cpu->avx2 = cpu->avx = cpu->fma3 = cpu->f16c = cpu->sse4_1 = cpu->sse4_2 = cpu->ssse3 = false;
  return "sse2 (it has nothing older)";
}

}  // namespace

extern "C" [[gnu::visibility("default")]] Status aq_make_peer(Isa isa, std::unique_ptr<Peer>* peer) {
  if (!cpuinfo_initialize()) return Error(Code::kUnsupported, "xnnpack: cpuinfo does not know this CPU");
  const cpuinfo_x86_isa all = cpuinfo_isa;
  const char* running = HideNewerThan(isa, &cpuinfo_isa);
  const bool is_ready = xnn_initialize(nullptr) == xnn_status_success;
  cpuinfo_isa = all;
  if (!is_ready) return Error(Code::kUnsupported, "xnnpack: does not run on this CPU");
  *peer = std::make_unique<Xnnpack>(running);
  return {};
}

}  // namespace aq::bench
