// SPDX-License-Identifier: Apache-2.0
// Conv2d by oneDNN's forward, backward-data and backward-weights primitives in the layouts oneDNN likes, with the
// reorders from and to NCHW. Primitives are compiled once per shape and tape. Backward weights, which adds up over
// images, stays on one thread: its bits would depend on the number of threads.
#include <array>
#include <cassert>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>

#include "converter/serial_openmp.h"
#include "converter/training/accumulate.h"
#include "converter/training/ops.h"

namespace aq::converter::training {
namespace {

using dnnl::memory;
using Dims = memory::dims;

// A tensor's plain and blocked layouts and the reorders between them (none if they are equal).
class Layout {
 public:
  Layout() = default;
  Layout(const dnnl::engine& engine, const memory::desc& plain, const memory::desc& blocked)
      : plain_(plain), blocked_(blocked), engine_(engine) {
    if (plain == blocked) return;
    to_blocked_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine, plain, engine, blocked));
    to_plain_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine, blocked, engine, plain));
  }
  bool is_plain() const { return !to_blocked_; }
  const memory::desc& blocked() const { return blocked_; }
  size_t blocked_floats() const { return blocked_.get_size() / sizeof(float); }
  memory Blocked(void* data) const { return memory(blocked_, engine_, data); }
  // `plain` in the blocked layout, in `room` (blocked_floats()) unless plain will do.
  memory ToBlocked(dnnl::stream& stream, const float* plain, float* room) const {
    void* source = const_cast<float*>(plain);
    if (is_plain()) return Blocked(source);
    memory from(plain_, engine_, source), to = Blocked(room);
    to_blocked_.execute(stream, from, to);
    return to;
  }
  void ToPlain(dnnl::stream& stream, memory& blocked, float* plain) const {
    memory to(plain_, engine_, plain);
    to_plain_.execute(stream, blocked, to);
  }

 private:
  memory::desc plain_, blocked_;
  dnnl::engine engine_;
  dnnl::reorder to_blocked_, to_plain_;
};

struct Problem {  // one shape
  Dims source, weights, bias, destination, strides, dilates, padding_before, padding_after;
  auto operator<=>(const Problem&) const = default;
};

struct Primitives {
  dnnl::convolution_forward::primitive_desc forward_desc;
  dnnl::convolution_forward forward;
  dnnl::convolution_backward_data backward_data;
  dnnl::convolution_backward_weights backward_weights;
  Layout source, weights, destination;                 // forward
  Layout data_source, data_weights, data_destination;  // backward data: source is the gradient written
  Layout weights_source, weights_weights, weights_destination;
};

memory::desc Any(const Dims& dims) { return {dims, memory::data_type::f32, memory::format_tag::any}; }
memory::desc Plain(const Dims& dims) {
  return {dims, memory::data_type::f32, dims.size() == 5 ? memory::format_tag::abcde : memory::format_tag::abcd};
}
memory::desc Vector(const Dims& dims) { return {dims, memory::data_type::f32, memory::format_tag::a}; }

class Cache : public Tape::OpCache {
 public:
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};

  Primitives& Forward(const Problem& p) {
    const auto [entry, is_new] = primitives_.try_emplace(p);
    Primitives& made = entry->second;
    if (!is_new) return made;
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct,
                                               Any(p.source), Any(p.weights), Vector(p.bias), Any(p.destination),
                                               p.strides, p.dilates, p.padding_before, p.padding_after);
    made.forward_desc = {desc, engine};
    made.forward = dnnl::convolution_forward(made.forward_desc);
    made.source = {engine, Plain(p.source), made.forward_desc.src_desc()};
    made.weights = {engine, Plain(p.weights), made.forward_desc.weights_desc()};
    made.destination = {engine, Plain(p.destination), made.forward_desc.dst_desc()};
    return made;
  }
  void AddBackwardData(const Problem& p, Primitives* made) {
    if (made->backward_data) return;
    const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, Any(p.source), Any(p.weights),
                                                     Any(p.destination), p.strides, p.dilates, p.padding_before,
                                                     p.padding_after);
    const dnnl::convolution_backward_data::primitive_desc pd(desc, engine, made->forward_desc);
    made->backward_data = dnnl::convolution_backward_data(pd);
    made->data_source = {engine, Plain(p.source), pd.diff_src_desc()};
    made->data_weights = {engine, Plain(p.weights), pd.weights_desc()};
    made->data_destination = {engine, Plain(p.destination), pd.diff_dst_desc()};
  }
  void AddBackwardWeights(const Problem& p, Primitives* made) {
    if (made->backward_weights) return;
    const SerialOpenMp serial;
    const dnnl::convolution_backward_weights::desc desc(dnnl::algorithm::convolution_direct, Any(p.source),
                                                        Any(p.weights), Vector(p.bias), Any(p.destination), p.strides,
                                                        p.dilates, p.padding_before, p.padding_after);
    const dnnl::convolution_backward_weights::primitive_desc pd(desc, engine, made->forward_desc);
    made->backward_weights = dnnl::convolution_backward_weights(pd);
    made->weights_source = {engine, Plain(p.source), pd.src_desc()};
    made->weights_weights = {engine, Plain(p.weights), pd.diff_weights_desc()};
    made->weights_destination = {engine, Plain(p.destination), pd.diff_dst_desc()};
  }

 private:
  std::map<Problem, Primitives> primitives_;
};

Cache& CacheOf(Tape* tape) {
  std::unique_ptr<Tape::OpCache>& cache = tape->convolution_cache();
  if (!cache) cache = std::make_unique<Cache>();
  return static_cast<Cache&>(*cache);
}

Problem ProblemOf(const Shape& x, const Shape& weights, const Window& w, int64_t groups) {
  Problem p;
  p.source = x;
  p.weights = groups == 1 ? weights : Dims{groups, weights[0] / groups, weights[1], weights[2], weights[3]};
  p.bias = {weights[0]};
  const auto extent = [](int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride) {
    return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
  };
  p.destination = {x[0], weights[0], extent(x[2], w.pad_top + w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h),
                   extent(x[3], w.pad_left + w.pad_right, w.kernel_w, w.dilation_w, w.stride_w)};
  p.strides = {w.stride_h, w.stride_w};
  p.dilates = {w.dilation_h - 1, w.dilation_w - 1};
  p.padding_before = {w.pad_top, w.pad_left};
  p.padding_after = {w.pad_bottom, w.pad_right};
  return p;
}

// Temporaries by number; the bias' gradient needs its own.
enum : size_t { kWeightsRoom, kDestinationRoom, kSourceRoom, kWeightGradientRoom, kPlainRoom, kBiasRoom };

// Result of a backward primitive -> the gradient sink, through NCHW order.
void Deliver(Tape* tape, dnnl::stream& stream, const Layout& layout, memory& result, const Tape::Sink& sink,
             int64_t count) {
  const float* plain = static_cast<const float*>(result.get_data_handle());
  if (!layout.is_plain()) {
    float* room = sink.adds ? tape->Temporary(kPlainRoom, static_cast<size_t>(count)) : sink.data;
    layout.ToPlain(stream, result, room);
    plain = room;
  }
  if (sink.adds) {
    Fill(sink.data, count, [=](int64_t i) { return sink.data[i] + plain[i]; });
  } else if (plain != sink.data) {
    Fill(sink.data, count, [=](int64_t i) { return plain[i]; });
  }
}

void BackwardData(Tape* tape, const Problem& p, Primitives& made, Var x, Var weights, Var out) {
  Cache& cache = CacheOf(tape);
  cache.AddBackwardData(p, &made);
  memory g = made.data_destination.ToBlocked(cache.stream, tape->gradient(out),
                                             tape->Temporary(kDestinationRoom, made.data_destination.blocked_floats()));
  memory w = made.data_weights.ToBlocked(cache.stream, tape->value(weights),
                                         tape->Temporary(kWeightsRoom, made.data_weights.blocked_floats()));
  memory result = made.data_source.Blocked(tape->Temporary(kSourceRoom, made.data_source.blocked_floats()));
  made.backward_data.execute(cache.stream,
                             {{DNNL_ARG_DIFF_DST, g}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, result}});
  Deliver(tape, cache.stream, made.data_source, result, tape->GradientSink(x), tape->count(x));
}

// `blocked_x`: the forward pass's source, kept in its layout.
void BackwardWeights(Tape* tape, const Problem& p, Primitives& made, Var x, Var weights, Var bias, Var out,
                     float* blocked_x) {
  Cache& cache = CacheOf(tape);
  cache.AddBackwardWeights(p, &made);
  memory g = made.weights_destination.ToBlocked(
      cache.stream, tape->gradient(out), tape->Temporary(kDestinationRoom, made.weights_destination.blocked_floats()));
  memory source =
      made.weights_source.blocked() == made.source.blocked()
          ? made.source.Blocked(blocked_x)
          : made.weights_source.ToBlocked(cache.stream, tape->value(x),
                                          tape->Temporary(kSourceRoom, made.weights_source.blocked_floats()));
  memory result =
      made.weights_weights.Blocked(tape->Temporary(kWeightGradientRoom, made.weights_weights.blocked_floats()));
  float* bias_gradient = tape->Temporary(kBiasRoom, static_cast<size_t>(p.bias[0]));
  memory bias_result(Vector(p.bias), cache.engine, bias_gradient);
  {
    const SerialOpenMp serial;
    made.backward_weights.execute(cache.stream, {{DNNL_ARG_SRC, source},
                                                 {DNNL_ARG_DIFF_DST, g},
                                                 {DNNL_ARG_DIFF_WEIGHTS, result},
                                                 {DNNL_ARG_DIFF_BIAS, bias_result}});
  }
  if (tape->needs_gradient(weights)) {
    Deliver(tape, cache.stream, made.weights_weights, result, tape->GradientSink(weights), tape->count(weights));
  }
  Accumulate(tape, bias, [=](int64_t i) { return bias_gradient[i]; });
}

}  // namespace

Var Conv2d(Tape* tape, Var x, Var weights, Var bias, const Window& window, int64_t groups) {
  assert(tape->shape(x).size() == 4 && tape->shape(x)[1] == groups * tape->shape(weights)[1] && "Conv2d: channels");
  const Problem problem = ProblemOf(tape->shape(x), tape->shape(weights), window, groups);
  Cache& cache = CacheOf(tape);
  Primitives& made = cache.Forward(problem);
  const Var out = tape->Make(problem.destination, {x, weights, bias});

  float* blocked_x = const_cast<float*>(tape->value(x));
  if (!made.source.is_plain()) blocked_x = tape->Saved(out, 0, made.source.blocked_floats());
  memory source = made.source.ToBlocked(cache.stream, tape->value(x), blocked_x);
  memory w = made.weights.ToBlocked(cache.stream, tape->value(weights),
                                    tape->Temporary(kWeightsRoom, made.weights.blocked_floats()));
  float* bias_data = bias != kNoVar ? const_cast<float*>(tape->value(bias))
                                    : tape->Temporary(kBiasRoom, static_cast<size_t>(problem.bias[0]));
  if (bias == kNoVar) std::fill_n(bias_data, problem.bias[0], 0.0f);
  memory bias_memory(Vector(problem.bias), cache.engine, bias_data);
  float* y = tape->MutableValue(out);
  const bool direct = made.destination.is_plain();
  memory result =
      made.destination.Blocked(direct ? y : tape->Temporary(kDestinationRoom, made.destination.blocked_floats()));
  made.forward.execute(
      cache.stream,
      {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias_memory}, {DNNL_ARG_DST, result}});
  if (!direct) made.destination.ToPlain(cache.stream, result, y);

  tape->OnBackward(out, [=, &made] {
    if (tape->needs_gradient(x)) BackwardData(tape, problem, made, x, weights, out);
    if (tape->needs_gradient(weights) || tape->needs_gradient(bias)) {
      BackwardWeights(tape, problem, made, x, weights, bias, out, blocked_x);
    }
  });
  return out;
}

}  // namespace aq::converter::training
