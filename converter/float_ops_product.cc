// SPDX-License-Identifier: Apache-2.0
// Conv and Dense on oneDNN. The primitive chooses its layouts; inputs and outputs are reordered at the border when they
// differ from NCHW. Made for one image and one thread, so the result depends on neither batch nor thread count.
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "converter/float_ops.h"

namespace aq::converter {
namespace {

using dnnl::memory;

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc Plain(const memory::dims& dims) {
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return memory::desc(dims, memory::data_type::f32, strides);
}
memory::desc Any(const memory::dims& dims) {
  return memory::desc(dims, memory::data_type::f32, memory::format_tag::any);
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

// A copy between layouts; nothing to do where they are equal.
struct Reorder {
  Reorder() = default;
  Reorder(const memory::desc& from, const memory::desc& to)
      : primitive(dnnl::reorder::primitive_desc(Engine(), from, Engine(), to)), is_needed(from != to) {}
  dnnl::reorder primitive;
  bool is_needed = false;
};

class ProductOp : public FloatOp {
 public:
  template <class PrimitiveDesc>
  ProductOp(const PrimitiveDesc& desc, dnnl::primitive primitive, const memory::dims& in, const memory::dims& weights,
            const memory::dims& out, const std::vector<float>& weight_values, const std::vector<float>& bias)
      : primitive_(std::move(primitive)),
        plain_in_(Plain(in)),
        in_(desc.src_desc()),
        plain_out_(Plain(out)),
        out_(desc.dst_desc()),
        scratchpad_(desc.scratchpad_desc()),
        to_in_(plain_in_, in_),
        from_out_(out_, plain_out_),
        weights_(desc.weights_desc(), Engine()),
        bias_(desc.bias_desc(), Engine()) {
    dnnl::stream stream(Engine());
    memory source(Plain(weights), Engine(), const_cast<float*>(weight_values.data()));  // read only
    dnnl::reorder(source, weights_).execute(stream, source, weights_);
    stream.wait();
    std::memcpy(bias_.get_data_handle(), bias.data(), bias.size() * sizeof(float));
  }

  void Run(const std::vector<const float*>& inputs, float* output, Scratch* scratch) const override {
    dnnl::stream stream(Engine());
    memory in(plain_in_, Engine(), const_cast<float*>(inputs[0]));  // read only
    if (to_in_.is_needed) {
      memory blocked(in_, Engine(), scratch->Get(0, in_.get_size()));
      to_in_.primitive.execute(stream, in, blocked);
      in = blocked;
    }
    const memory plain_out(plain_out_, Engine(), output);
    const memory out = from_out_.is_needed ? memory(out_, Engine(), scratch->Get(1, out_.get_size())) : plain_out;
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weights_}, {DNNL_ARG_BIAS, bias_}, {DNNL_ARG_DST, out}};
    if (scratchpad_.get_size() > 0) {
      arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(scratchpad_, Engine(), scratch->Get(2, scratchpad_.get_size())));
    }
    primitive_.execute(stream, arguments);
    if (from_out_.is_needed) {
      memory from = out, to = plain_out;
      from_out_.primitive.execute(stream, from, to);
    }
    stream.wait();
  }

 private:
  dnnl::primitive primitive_;
  memory::desc plain_in_, in_, plain_out_, out_, scratchpad_;
  Reorder to_in_, from_out_;
  memory weights_, bias_;
};

std::unique_ptr<FloatOp> MakeConv(const Conv& conv, const OpShapes& shapes) {
  const Window& w = conv.window;
  const memory::dims in = shapes.inputs[0], out = shapes.output;
  memory::dims weights = {out[1], in[1] / conv.groups, w.kernel_h, w.kernel_w};
  if (conv.groups > 1) weights = {conv.groups, out[1] / conv.groups, in[1] / conv.groups, w.kernel_h, w.kernel_w};
  const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                             Any(in), Any(weights), Any({out[1]}), Any(out), {w.stride_h, w.stride_w},
                                             {w.dilation_h - 1, w.dilation_w - 1}, {w.pad_top, w.pad_left},
                                             {w.pad_bottom, w.pad_right});
  const dnnl::convolution_forward::primitive_desc chosen(desc, UserScratchpad(), Engine());
  return std::make_unique<ProductOp>(chosen, dnnl::convolution_forward(chosen), in, weights, out, conv.weights,
                                     conv.bias);
}

std::unique_ptr<FloatOp> MakeDense(const Dense& dense, const OpShapes& shapes) {
  const memory::dims in = shapes.inputs[0], out = shapes.output, weights = {out[1], in[1]};
  const dnnl::inner_product_forward::desc desc(dnnl::prop_kind::forward_inference, Any(in), Any(weights), Any({out[1]}),
                                               Any(out));
  const dnnl::inner_product_forward::primitive_desc chosen(desc, UserScratchpad(), Engine());
  return std::make_unique<ProductOp>(chosen, dnnl::inner_product_forward(chosen), in, weights, out, dense.weights,
                                     dense.bias);
}

}  // namespace

std::unique_ptr<FloatOp> MakeProductOp(const Attributes& attributes, const OpShapes& shapes) {
  if (const Conv* conv = std::get_if<Conv>(&attributes)) return MakeConv(*conv, shapes);
  if (const Dense* dense = std::get_if<Dense>(&attributes)) return MakeDense(*dense, shapes);
  return nullptr;
}

}  // namespace aq::converter
