// SPDX-License-Identifier: Apache-2.0
// The peer oneDNN: u8 activations, s8 weights with a scale per output channel, u8 out.
#include <cmath>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "bench/peer.h"

namespace aq::bench {
namespace {

using Dims = dnnl::memory::dims;
using DataType = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

struct IsaRow {
  Isa isa;
  dnnl::cpu_isa limit;
};
constexpr IsaRow kLimits[] = {{Isa::kScalar, dnnl::cpu_isa::sse41},
                              {Isa::kAvx2, dnnl::cpu_isa::avx2},
                              {Isa::kAvxVnni, dnnl::cpu_isa::avx2_vnni},
                              {Isa::kAvx512Vnni, dnnl::cpu_isa::avx512_core_vnni}};

struct NameRow {
  dnnl::cpu_isa isa;
  const char* name;
};
constexpr NameRow kNames[] = {{dnnl::cpu_isa::sse41, "sse41"},
                              {dnnl::cpu_isa::avx, "avx"},
                              {dnnl::cpu_isa::avx2, "avx2"},
                              {dnnl::cpu_isa::avx2_vnni, "avx2_vnni"},
                              {dnnl::cpu_isa::avx512_core, "avx512_core"},
                              {dnnl::cpu_isa::avx512_core_vnni, "avx512_core_vnni"}};

void Fill(const dnnl::memory& memory) {
  auto* bytes = static_cast<uint8_t*>(memory.get_data_handle());
  uint32_t state = 1;
  for (size_t i = 0; i < memory.get_desc().get_size(); ++i) {
    state = state * 1664525u + 1013904223u;
    bytes[i] = static_cast<uint8_t>(state >> 24);
  }
}

// Weights and bias in the layout the primitive asked for need no reordering: their values are made up anyway.
class OnednnLayer : public PeerLayer {
 public:
  template <class Primitive, class Descriptor>
  OnednnLayer(const dnnl::engine& engine, Primitive, const Descriptor& descriptor)
      : stream_(engine), primitive_(descriptor), kernel_(descriptor.impl_info_str()) {
    Add(DNNL_ARG_SRC, dnnl::memory(descriptor.src_desc(), engine));
    Add(DNNL_ARG_WEIGHTS, dnnl::memory(descriptor.weights_desc(), engine));
    Add(DNNL_ARG_BIAS, dnnl::memory(descriptor.bias_desc(), engine));
    Add(DNNL_ARG_DST, dnnl::memory(descriptor.dst_desc(), engine));
  }
  void Run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  std::string kernel() const override { return kernel_; }

 private:
  void Add(int argument, const dnnl::memory& memory) {
    Fill(memory);
    arguments_.emplace(argument, memory);
  }

  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
  std::string kernel_;
};

class Onednn : public Peer {
 public:
  std::string description() const override {
    const dnnl_version_t* version = dnnl_version();
    const char* name = "another ISA";
    for (const NameRow& row : kNames) {
      if (row.isa == dnnl::get_effective_cpu_isa()) name = row.name;
    }
    return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch) + ", int8, " + name;
  }

  Result<std::unique_ptr<PeerLayer>> Prepare(const ConvGeometry& g, bool is_dense) override {
    try {
      return is_dense ? MakeDense(g) : MakeConvolution(g);
    } catch (const dnnl::error& error) {
      return Error(Code::kUnsupported, "onednn: %d to %d channels, %dx%d kernel: %s", g.in_c, g.out_c, g.kernel_h,
                   g.kernel_w, error.what());
    }
  }

 private:
  static dnnl::primitive_attr Attributes(const ConvGeometry& g) {
    const int k = g.kernel_h * g.kernel_w * g.in_c / g.groups;
    std::vector<float> scales;
    for (int i = 0; i < g.out_c; ++i) {
      scales.push_back((1.0f + 0.01f * static_cast<float>(i % 32)) / (64.0f * std::sqrt(static_cast<float>(k))));
    }
    dnnl::primitive_attr attributes;
    attributes.set_output_scales(1 << 1, scales);
    return attributes;
  }

  std::unique_ptr<PeerLayer> MakeDense(const ConvGeometry& g) {
    const dnnl::inner_product_forward::desc layer(
        dnnl::prop_kind::forward_inference, {Dims{1, g.in_c}, DataType::u8, Tag::nc},
        {Dims{g.out_c, g.in_c}, DataType::s8, Tag::any}, {Dims{g.out_c}, DataType::s32, Tag::x},
        {Dims{1, g.out_c}, DataType::u8, Tag::nc});
    const dnnl::inner_product_forward::primitive_desc descriptor(layer, Attributes(g), engine_);
    return std::make_unique<OnednnLayer>(engine_, dnnl::inner_product_forward(), descriptor);
  }

  std::unique_ptr<PeerLayer> MakeConvolution(const ConvGeometry& g) {
    const bool has_groups = g.groups > 1;
    Dims weights{g.out_c / g.groups, g.in_c / g.groups, g.kernel_h, g.kernel_w};
    if (has_groups) weights.insert(weights.begin(), g.groups);
    const dnnl::convolution_forward::desc layer(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
        {Dims{1, g.in_c, g.in_h, g.in_w}, DataType::u8, Tag::nhwc}, {weights, DataType::s8, Tag::any},
        {Dims{g.out_c}, DataType::s32, Tag::x}, {Dims{1, g.out_c, g.out_h, g.out_w}, DataType::u8, Tag::nhwc},
        Dims{g.stride_h, g.stride_w}, Dims{g.pad_top, g.pad_left}, Dims{PadAfter(g, false), PadAfter(g, true)});
    const dnnl::convolution_forward::primitive_desc descriptor(layer, Attributes(g), engine_);
    return std::make_unique<OnednnLayer>(engine_, dnnl::convolution_forward(), descriptor);
  }

  // oneDNN wants the padding that the output size really needs.
  static int PadAfter(const ConvGeometry& g, bool is_width) {
    if (is_width) return (g.out_w - 1) * g.stride_w + g.kernel_w - g.in_w - g.pad_left;
    return (g.out_h - 1) * g.stride_h + g.kernel_h - g.in_h - g.pad_top;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
};

}  // namespace

extern "C" [[gnu::visibility("default")]] Status aq_make_peer(Isa isa, std::unique_ptr<Peer>* peer) {
  for (const IsaRow& row : kLimits) {
    if (row.isa == isa && dnnl::set_max_cpu_isa(row.limit) != dnnl::status::success) {
      return Error(Code::kUnsupported, "onednn: cannot be limited to %s", IsaName(isa));
    }
  }
  *peer = std::make_unique<Onednn>();
  return {};
}

}  // namespace aq::bench
