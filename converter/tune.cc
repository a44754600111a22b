// SPDX-License-Identifier: Apache-2.0
#include "converter/tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "converter/augment.h"
#include "converter/training/adam.h"
#include "converter/training/losses.h"
#include "converter/training/rng.h"
#include "converter/training/run_nodes.h"
#include "converter/training/shuffle.h"

namespace aq::converter {
namespace {

using training::Parameter;
using training::Tape;
using training::Var;

constexpr int64_t kBatch = 32, kSmallestBatch = 4;
constexpr int64_t kTapeFloats = int64_t{1} << 29;  // 2 GiB: with wide images the batch is smaller
constexpr int64_t kTapeCopies = 10;  // floats the tape holds per activation: values, gradients, blocked layouts, masks
constexpr int64_t kHeldBack = 8;     // every eighth image judges, the others train
constexpr float kTemperature = 2, kFeatureWeight = 0.1f;
constexpr float kLevelRate = 3e-3f, kStepRate = 2e-3f, kBiasRate = 2e-3f;
constexpr float kScaleRate = 1e-3f;              // relative to the layer's mean scale
constexpr float kSecondRate = 0.3f;              // of all of them, where the first attempt did not help
constexpr uint64_t kStream = uint64_t{1} << 41;  // random draws: beyond those of reconstruct.cc

float MeanMagnitude(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += std::abs(static_cast<double>(v));
  return static_cast<float>(sum / static_cast<double>(values.size()));
}

// Mean over images and positions of the sum over channels of squares: what MeanSquaredError would give against zero.
float MeanPower(const Tape& tape, Var v) {
  const float* x = tape.value(v);
  double sum = 0;
  for (int64_t i = 0; i < tape.count(v); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const Shape& shape = tape.shape(v);
  return static_cast<float>(sum * static_cast<double>(shape.size() > 1 ? shape[1] : 1) /
                            static_cast<double>(tape.count(v)));
}

class Tuning {
 public:
  Tuning(const Graph& graph, const float* images, int64_t count, const ConvertOptions& options, UnitNetwork* network)
      : graph_(graph),
        images_(images),
        options_(options),
        network_(*network),
        features_(SplitIntoUnits(graph, UnitKind::kBlock).back().inputs[0]),
        image_size_(Elements(InputShape())),
        tape_(options.num_threads) {
    whole_.nodes.resize(graph.nodes.size());
    std::iota(whole_.nodes.begin(), whole_.nodes.end(), 0);
    whole_.inputs = {graph.input};
    whole_.outputs = graph.outputs;
    layers_ = network_.Layers(whole_);
    activations_ = network_.AllActivations();
    int64_t floats = 0;
    for (const Value& value : graph.values) floats += Elements(value.shape) * kTapeCopies;
    batch_ = static_cast<size_t>(std::clamp(kTapeFloats / floats, kSmallestBatch, kBatch));
    for (int64_t i = 0; i < count; ++i) (i % kHeldBack == 0 && count > 1 ? held_back_ : training_).push_back(i);
    if (held_back_.empty()) held_back_ = training_;
  }

  // Up to two attempts: rates that help one network are too much for another, above all for one that is good already
  // (ResNet-56 at w2a2r8).
  Status Run(const Progress& progress, TuneReport* report) {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::vector<float>> before = Snapshot();
    AQ_ASSIGN_OR_RETURN(report->divergence_before, HeldBackDivergence());
    for (const float rate : {1.0f, kSecondRate}) {
      report->rate = rate;
      training::Adam adam(options_.tune_iterations);
      Prepare(rate, &adam);
      for (int64_t it = 0; it < options_.tune_iterations; ++it) {
        AQ_RETURN_IF_ERROR(Step(static_cast<uint64_t>(it), &adam));
        const char* stage = rate == 1 ? "tune" : "tune, slower";
        if (progress) progress(stage, static_cast<size_t>(it + 1), static_cast<size_t>(options_.tune_iterations));
      }
      AQ_ASSIGN_OR_RETURN(report->divergence_after, HeldBackDivergence());
      report->is_kept = report->divergence_after < report->divergence_before;
      if (report->is_kept) break;
      Restore(before);
    }
    report->iterations = options_.tune_iterations;
    report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return {};
  }

 private:
  struct Networks {  // values on the tape
    std::vector<Var> exact, quantized;
  };

  const Shape& InputShape() const { return graph_.values[static_cast<size_t>(graph_.input)].shape; }

  // What tuning moves, the levels of the weights left out: they start from, and without them are, the hard codes.
  std::vector<Parameter*> Parameters() {
    std::vector<Parameter*> parameters;
    for (UnitNetwork::Layer* layer : layers_) {
      parameters.push_back(&layer->weights.scale);
      parameters.push_back(&layer->bias);
    }
    for (UnitNetwork::Activation* activation : activations_) {
      parameters.push_back(&activation->quantizer.step);
      parameters.push_back(&activation->quantizer.border);
    }
    return parameters;
  }
  std::vector<std::vector<float>> Snapshot() {
    std::vector<std::vector<float>> values;
    for (const Parameter* parameter : Parameters()) values.push_back(parameter->value);
    return values;
  }
  void Restore(const std::vector<std::vector<float>>& values) {
    const std::vector<Parameter*> parameters = Parameters();
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i]->value = values[i];
    for (UnitNetwork::Layer* layer : layers_) layer->weights.level = {};
  }

  void Prepare(float rate, training::Adam* adam) {
    for (UnitNetwork::Layer* layer : layers_) {
      StartLevels(&layer->weights);
      layer->weights.scale.is_trained = layer->bias.is_trained = true;
      const float scale = MeanMagnitude(layer->weights.scale.value);
      adam->AddGroup({.parameters = {&layer->weights.level}, .learning_rate = rate * kLevelRate, .cosine = true});
      adam->AddGroup(
          {.parameters = {&layer->weights.scale}, .learning_rate = rate * kScaleRate * scale, .cosine = true});
      adam->AddGroup({.parameters = {&layer->bias}, .learning_rate = rate * kBiasRate, .cosine = true});
    }
    for (UnitNetwork::Activation* activation : activations_) {
      training::ActivationQuantizer& q = activation->quantizer;
      q.step.is_trained = true;
      q.border.is_trained = !q.is_free();  // thresholds of their own lose here what the blocks found: docs/accuracy.md
      adam->AddGroup({.parameters = {&q.step}, .learning_rate = rate * kStepRate, .cosine = true});
      adam->AddGroup({.parameters = {&q.border}, .learning_rate = rate * activation->border_rate(), .cosine = true});
    }
  }

  // Both networks on `input`, which must outlive the tape's iteration.
  Status Forward(const std::vector<float>& input, training::WeightRounding rounding, Networks* networks) {
    Shape shape = InputShape();
    shape[0] = static_cast<int64_t>(input.size()) / image_size_;
    tape_.Reset();
    networks->exact.assign(graph_.values.size(), training::kNoVar);
    networks->exact[static_cast<size_t>(graph_.input)] = tape_.Constant(shape, input.data());
    networks->quantized = networks->exact;
    AQ_RETURN_IF_ERROR(RunNodes(&tape_, graph_, whole_.nodes, {}, &networks->exact));
    return network_.Forward(&tape_, whole_, {.rounding = rounding}, &networks->quantized);
  }

  std::vector<training::WeightedTerm> Divergences(const Networks& networks, float temperature) {
    std::vector<training::WeightedTerm> terms;
    for (const ValueId output : graph_.outputs) {
      const size_t v = static_cast<size_t>(output);
      terms.push_back({SoftenedDivergence(&tape_, networks.quantized[v], networks.exact[v], temperature), 1});
    }
    return terms;
  }

  // Mean over the held-back images, as they are, of what training minimises. Softened: plain KL says more about how
  // sure the network is of its few mistakes than about their number.
  Result<double> HeldBackDivergence() {
    double sum = 0;
    for (size_t begin = 0; begin < held_back_.size(); begin += batch_) {
      const size_t count = std::min(held_back_.size() - begin, batch_);
      std::vector<float> input;
      for (size_t i = begin; i < begin + count; ++i) {
        const float* image = images_ + held_back_[i] * image_size_;
        input.insert(input.end(), image, image + image_size_);
      }
      Networks networks;
      AQ_RETURN_IF_ERROR(Forward(input, training::WeightRounding::kHard, &networks));
      for (const training::WeightedTerm& term : Divergences(networks, kTemperature))
        sum += static_cast<double>(tape_.scalar(term.scalar)) * static_cast<double>(count);
    }
    return sum / static_cast<double>(held_back_.size());
  }

  Status Step(uint64_t iteration, training::Adam* adam) {
    const training::RandomKey key{options_.seed, kStream, iteration};
    const size_t batch = std::min(training_.size(), batch_);
    training::ShuffleHead(key, batch, training_);
    Augment(images_, InputShape(), std::span(training_).first(batch), training::SplitMix64(key.Base()), &input_);
    Networks networks;
    AQ_RETURN_IF_ERROR(Forward(input_, training::WeightRounding::kStraightThrough, &networks));
    std::vector<training::WeightedTerm> terms = Divergences(networks, kTemperature);
    const Var features = networks.exact[static_cast<size_t>(features_)];
    const Var error = MeanSquaredError(&tape_, networks.quantized[static_cast<size_t>(features_)], features);
    if (const float power = MeanPower(tape_, features); power > 0) terms.push_back({error, kFeatureWeight / power});
    tape_.Backward(WeightedSum(&tape_, terms));
    adam->Step();
    for (UnitNetwork::Layer* layer : layers_) training::Project(&layer->weights);
    for (UnitNetwork::Activation* activation : activations_) activation->Project();
    return {};
  }

  const Graph& graph_;
  const float* const images_;
  const ConvertOptions& options_;
  UnitNetwork& network_;
  const ValueId features_;  // what the classifier at the end sees
  const int64_t image_size_;
  size_t batch_ = 0;
  Unit whole_;
  Tape tape_;
  std::vector<UnitNetwork::Layer*> layers_;
  std::vector<UnitNetwork::Activation*> activations_;
  std::vector<int64_t> training_, held_back_;  // indices of images
  std::vector<float> input_;
};

}  // namespace

Status Tune(const Graph& graph, const float* images, int64_t count, const ConvertOptions& options,
            const Progress& progress, UnitNetwork* network, TuneReport* report) {
  return Tuning(graph, images, count, options, network).Run(progress, report);
}

}  // namespace aq::converter
