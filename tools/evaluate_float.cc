// SPDX-License-Identifier: Apache-2.0
// Implements EvaluateOnnx (evaluate.h): the float network on the converter's executor, in batches of fixed size.
#include <algorithm>

#include "converter/float_executor.h"
#include "converter/onnx_reader.h"
#include "tools/evaluate.h"
#include "tools/metrics.h"
#include "tools/network_input.h"

namespace aq::tools {
namespace {

using converter::FloatTensor;

// Part of the result: floats are only reproducible for a batch size.
constexpr size_t kBatch = 16;

Status ReadOutputs(const std::vector<FloatTensor>& outputs, size_t batch, size_t first, const Dataset& dataset,
                   std::vector<Outcome>* outcomes) {
  for (size_t b = 0; b < batch; ++b) {
    Outcome outcome;
    outcome.hash = kFnvBasis;
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (outputs[o].data.size() % batch != 0) {
        return Error(Code::kInternal, "output %zu has %zu values for %zu images", o, outputs[o].data.size(), batch);
      }
      const size_t classes = outputs[o].data.size() / batch;
      const std::span<const float> scores(outputs[o].data.data() + b * classes, classes);
      outcome.hash = Fnv1a({reinterpret_cast<const uint8_t*>(scores.data()), scores.size_bytes()}, outcome.hash);
      if (o > 0) continue;
      AQ_RETURN_IF_ERROR(CheckLabel(dataset, first + b, classes));
      outcome.prediction = Argmax(scores);
      const int label = dataset.label(first + b);
      if (label >= 0) outcome.rank = RankOf(scores, static_cast<size_t>(label));
    }
    outcomes->push_back(outcome);
  }
  return {};
}

}  // namespace

Result<Evaluation> EvaluateOnnx(const std::string& path, const Dataset& dataset, const EvaluateOptions& options,
                                Progress* progress) {
  std::vector<converter::Unsupported> unsupported;
  Result<converter::Graph> graph = converter::ReadOnnx(path, {}, &unsupported);
  if (!graph.ok()) {
    if (unsupported.empty()) return graph.status();
    return Error(graph.status().code(), "%s\n%s", graph.status().message().c_str(),
                 converter::FormatUnsupported(unsupported).c_str());
  }
  AQ_ASSIGN_OR_RETURN(const InputShape shape, NetworkInput(*graph));
  AQ_RETURN_IF_ERROR(CheckChannels(options.preprocess, shape));
  AQ_ASSIGN_OR_RETURN(converter::FloatExecutor executor, converter::FloatExecutor::Create(&*graph, options.threads));

  const size_t count = options.limit == 0 ? dataset.size() : std::min(options.limit, dataset.size());
  std::vector<Outcome> outcomes;
  for (size_t first = 0; first < count; first += kBatch) {
    const size_t batch = std::min(kBatch, count - first);
    FloatTensor input{graph->values[static_cast<size_t>(graph->input)].shape, {}};
    input.shape[0] = static_cast<int64_t>(batch);
    for (size_t b = 0; b < batch; ++b) {
      Image image;
      std::vector<uint8_t> codes;
      Status status = dataset.Load(first + b, &image);
      if (status.ok()) status = ToInputCodes(image, options.preprocess, shape, &codes);
      if (!status.ok()) return Error(status.code(), "image %zu: %s", first + b, status.message().c_str());
      AppendFloats(codes, options.preprocess, shape, &input.data);
    }
    AQ_ASSIGN_OR_RETURN(const std::vector<FloatTensor> outputs, executor.Run(input));
    if (outputs.empty()) return Error(Code::kInternal, "%s: no outputs", path.c_str());
    AQ_RETURN_IF_ERROR(ReadOutputs(outputs, batch, first, dataset, &outcomes));
    progress->Update("eval", outcomes.size(), count);
  }
  return Summarize(outcomes, dataset);
}

}  // namespace aq::tools
