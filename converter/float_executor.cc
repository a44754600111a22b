// SPDX-License-Identifier: Apache-2.0
#include "converter/float_executor.h"

#include <algorithm>
#include <cinttypes>
#include <exception>
#include <new>

#include "converter/float_ops.h"
#include "converter/passes.h"
#include "converter/serial_openmp.h"
#include "converter/shapes.h"

namespace aq::converter {
namespace {

Result<FloatTensor> Guard(auto run) {
  try {
    return run();
  } catch (const std::bad_alloc&) {
    return Error(Code::kOutOfMemory, "float executor: out of memory");
  } catch (const std::exception& error) {
    return Error(Code::kInternal, "float executor: %s", error.what());
  }
}

}  // namespace

void* Scratch::Get(size_t slot, size_t bytes) {
  AlignedBlock& block = blocks_[slot];
  if (block.size() < bytes) {
    block = AlignedBlock::Allocate(bytes);
    if (!block.data()) throw std::bad_alloc();
  }
  return block.data();
}

struct FloatExecutor::Impl {
  const Graph* graph = nullptr;
  int num_threads = 1;
  std::vector<std::unique_ptr<FloatOp>> ops;  // made at first use
  std::vector<Scratch> scratch;               // one per thread

  const Shape& ShapeOf(ValueId value) const { return graph->values[static_cast<size_t>(value)].shape; }

  const FloatOp& Op(size_t index) {
    if (!ops[index]) {
      const Node& node = graph->nodes[index];
      OpShapes shapes{.inputs = {}, .output = ShapeOf(node.output)};
      for (ValueId input : node.inputs) shapes.inputs.push_back(ShapeOf(input));
      ops[index] = MakeProductOp(node.attributes, shapes);
      if (!ops[index]) ops[index] = MakePlainOp(node.attributes, shapes);
    }
    return *ops[index];
  }

  // residual: of Conv and Dense, one image, or nullptr.
  static void Finish(const Node& node, const float* residual, float* output, size_t n) {
    if (residual) {
      for (size_t i = 0; i < n; ++i) output[i] += residual[i];
    }
    if (!node.has_clip()) return;
    const auto clip = [&](size_t begin, size_t end, float high) {
      for (size_t i = begin; i < end; ++i) output[i] = std::min(std::max(output[i], node.clip_low), high);
    };
    const size_t channels = node.channel_clip_high.size();
    if (channels == 0) return clip(0, n, node.clip_high);
    for (size_t c = 0; c < channels; ++c) clip(c * (n / channels), (c + 1) * (n / channels), node.channel_clip_high[c]);
  }

  FloatTensor RunNode(size_t index, const std::vector<const FloatTensor*>& inputs) {
    const SerialOpenMp serial;  // images run in parallel
    const Node& node = graph->nodes[index];
    const FloatOp& op = Op(index);
    const bool is_product =
        std::holds_alternative<Conv>(node.attributes) || std::holds_alternative<Dense>(node.attributes);
    const bool has_residual = is_product && inputs.size() == 2;
    const int64_t batch = inputs[0]->shape[0];
    FloatTensor out;
    out.shape = ShapeOf(node.output);
    const size_t n = static_cast<size_t>(Elements(out.shape));
    out.shape[0] = batch;
    out.data.resize(n * static_cast<size_t>(batch));
    std::exception_ptr failure;
#pragma omp parallel for num_threads(num_threads) schedule(static)
    for (int64_t image = 0; image < batch; ++image) {
      try {
        std::vector<const float*> images;
        for (const FloatTensor* input : inputs) {
          const size_t size = input->data.size() / static_cast<size_t>(batch);
          images.push_back(input->data.data() + static_cast<size_t>(image) * size);
        }
        float* output = out.data.data() + static_cast<size_t>(image) * n;
        op.Run(images, output, &scratch[static_cast<size_t>(omp_get_thread_num())]);
        Finish(node, has_residual ? images[1] : nullptr, output, n);
      } catch (...) {  // must not leave the parallel region
#pragma omp critical(aq_float_executor)
        failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return out;
  }

  Status Check(ValueId value, const FloatTensor& tensor, int64_t batch) const {
    Shape want = ShapeOf(value);
    want[0] = batch;
    if (batch < 1 || tensor.shape != want || tensor.data.size() != static_cast<size_t>(Elements(want))) {
      return Error(Code::kInvalidArgument, "%s: tensor %s of %zu elements, must be %s",
                   graph->values[static_cast<size_t>(value)].name.c_str(), ShapeText(tensor.shape).c_str(),
                   tensor.data.size(), ShapeText(want).c_str());
    }
    return {};
  }
};

FloatExecutor::FloatExecutor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FloatExecutor::FloatExecutor(FloatExecutor&&) noexcept = default;
FloatExecutor& FloatExecutor::operator=(FloatExecutor&&) noexcept = default;
FloatExecutor::~FloatExecutor() = default;

Result<FloatExecutor> FloatExecutor::Create(const Graph* graph, int num_threads) {
  if (num_threads < 1 || num_threads > 1024) {
    return Error(Code::kInvalidArgument, "%d threads, 1 to 1024 are possible", num_threads);
  }
  AQ_RETURN_IF_ERROR(Validate(*graph));
  auto impl = std::make_unique<Impl>();
  impl->graph = graph;
  impl->num_threads = num_threads;
  impl->ops.resize(graph->nodes.size());
  impl->scratch.resize(static_cast<size_t>(num_threads));
  return FloatExecutor(std::move(impl));
}

Result<FloatTensor> FloatExecutor::RunNode(int node, const std::vector<const FloatTensor*>& inputs) {
  if (node < 0 || static_cast<size_t>(node) >= impl_->graph->nodes.size()) {
    return Error(Code::kInvalidArgument, "node %d of %zu", node, impl_->graph->nodes.size());
  }
  const size_t index = static_cast<size_t>(node);
  const std::vector<ValueId>& values = impl_->graph->nodes[index].inputs;
  if (inputs.size() != values.size()) {
    return Error(Code::kInvalidArgument, "%s: %zu inputs, needs %zu", impl_->graph->nodes[index].name.c_str(),
                 inputs.size(), values.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const int64_t batch = inputs[0]->shape.empty() ? 0 : inputs[0]->shape[0];
    AQ_RETURN_IF_ERROR(impl_->Check(values[i], *inputs[i], batch));
  }
  return Guard([&]() { return impl_->RunNode(index, inputs); });
}

Result<std::vector<FloatTensor>> FloatExecutor::Run(const FloatTensor& input, const Observer& observer) {
  const Graph& graph = *impl_->graph;
  AQ_RETURN_IF_ERROR(impl_->Check(graph.input, input, input.shape.empty() ? 0 : input.shape[0]));
  std::vector<FloatTensor> tensors(graph.values.size());
  std::vector<int> uses(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (ValueId value : node.inputs) ++uses[static_cast<size_t>(value)];
  }
  for (ValueId value : graph.outputs) ++uses[static_cast<size_t>(value)];
  if (observer) observer(graph.input, input);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::vector<const FloatTensor*> inputs;
    for (ValueId value : node.inputs) {
      inputs.push_back(value == graph.input ? &input : &tensors[static_cast<size_t>(value)]);
    }
    AQ_ASSIGN_OR_RETURN(FloatTensor output, RunNode(static_cast<int>(i), inputs));
    if (observer) observer(node.output, output);
    tensors[static_cast<size_t>(node.output)] = std::move(output);
    for (ValueId value : node.inputs) {
      if (--uses[static_cast<size_t>(value)] == 0) tensors[static_cast<size_t>(value)] = {};
    }
  }
  std::vector<FloatTensor> outputs;
  for (ValueId value : graph.outputs) {
    outputs.push_back(value == graph.input ? input : tensors[static_cast<size_t>(value)]);
  }
  return outputs;
}

}  // namespace aq::converter
