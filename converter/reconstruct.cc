// SPDX-License-Identifier: Apache-2.0
#include "converter/reconstruct.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>

#include "converter/border_search.h"
#include "converter/calibrate.h"
#include "converter/checkpoint.h"
#include "converter/fingerprint.h"
#include "converter/sample_cache.h"
#include "converter/training/adam.h"
#include "converter/training/drop.h"
#include "converter/training/losses.h"
#include "converter/training/run_nodes.h"
#include "converter/training/shuffle.h"
#include "converter/tune.h"
#include "converter/unit_network.h"
#include "converter/units.h"
#include "runtime/include/aq/aq.h"

namespace aq::converter {
namespace {

using training::Tape;
using training::Var;

constexpr int64_t kBatch = 32, kSmallestBatch = 8;
constexpr int64_t kUnitFloats = int64_t{1} << 23;  // of a unit's values: a step is bound by memory, and wide images
                                                   // bring enough positions without many images
constexpr float kKeep = 0.5f;                      // QDrop
constexpr float kRegulariserWeight = 0.01f;
constexpr float kWeightRate = 1e-2f, kStepRate = 1e-3f, kBiasRate = 2e-3f;
constexpr uint64_t kBatchStream = uint64_t{1} << 40, kMixStream = kBatchStream + 1;  // beyond the quantisers' streams

class Reconstruction {
 public:
  Reconstruction(const Graph& graph, const ActivationPlan& plan, const std::vector<Histogram>& groups,
                 const ConvertOptions& options, const Progress& progress)
      : graph_(graph),
        plan_(plan),
        groups_(groups),
        options_(options),
        progress_(progress),
        units_(SplitIntoUnits(graph, options.unit_kind)),
        network_(graph, plan, groups, options, units_),
        budget_{options.max_memory_bytes, options.scratch_folder} {}

  Result<LearnedQuantization> Run(const ImageSource& images, std::span<const size_t> indices, ConvertReport* report) {
    images_ = static_cast<int64_t>(indices.size());
    order_.resize(indices.size());
    std::iota(order_.begin(), order_.end(), int64_t{0});
    Samples& pictures = samples_[graph_.input];
    AQ_ASSIGN_OR_RETURN(pictures.exact, MakeCache(graph_.input));
    AQ_ASSIGN_OR_RETURN(pictures.quantized, MakeCache(graph_.input));
    Fingerprint fingerprint;
    for (size_t begin = 0; begin < indices.size(); begin += kCalibrationBatch) {
      const auto batch = indices.subspan(begin, std::min(kCalibrationBatch, indices.size() - begin));
      std::vector<std::vector<uint8_t>> pixels;
      AQ_RETURN_IF_ERROR(LoadImages(images, batch, ValueOf(graph_.input).shape, &pixels));
      const FloatTensor input = ToFloat(pixels, ValueOf(graph_.input).shape, options_.preprocess);
      for (SampleCache* cache : {&pictures.exact, &pictures.quantized})
        std::copy(input.data.begin(), input.data.end(), cache->At(static_cast<int64_t>(begin)));
      if (!options_.checkpoint.empty()) fingerprint.Add(pixels);
    }
    if (!options_.checkpoint.empty()) AQ_RETURN_IF_ERROR(OpenCheckpoint(&fingerprint));
    SampleCache inputs;
    if (options_.tune_iterations > 0) {
      AQ_ASSIGN_OR_RETURN(inputs, MakeCache(graph_.input));
      std::copy_n(pictures.exact.At(0), images_ * inputs.per_image, inputs.At(0));
    }
    for (unit_ = 0; unit_ < units_.size(); ++unit_) AQ_RETURN_IF_ERROR(RunUnit(units_[unit_], &report->units));
    if (options_.tune_iterations > 0)
      AQ_RETURN_IF_ERROR(Tune(graph_, inputs.At(0), images_, options_, progress_, &network_, &report->tuning));
    return network_.Export();
  }

 private:
  struct Samples {  // of one value: in the float network, and after the units learned so far
    SampleCache exact, quantized;
  };
  using Side = SampleCache Samples::*;

  const Value& ValueOf(ValueId v) const { return graph_.values[static_cast<size_t>(v)]; }
  Result<SampleCache> MakeCache(ValueId v) { return SampleCache::Make(ValueOf(v), images_, &budget_); }
  Result<std::vector<SampleCache>> MakeCaches(const std::vector<ValueId>& values) {
    std::vector<SampleCache> caches(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      AQ_ASSIGN_OR_RETURN(caches[i], MakeCache(values[i]));
    }
    return caches;
  }

  // Takes up a checkpoint of this very conversion, if wanted and there is one.
  Status OpenCheckpoint(Fingerprint* fingerprint) {
    fingerprint->Add(std::string(aq_version()));
    fingerprint->Add(graph_);
    fingerprint->Add(plan_);
    fingerprint->Add(groups_);
    fingerprint->Add(options_);
    checkpoint_.fingerprint = fingerprint->HexDigest();
    if (!options_.is_resumed) return {};
    Result<Checkpoint> read = ReadCheckpoint(options_.checkpoint, checkpoint_.fingerprint);
    if (read.status().code() == Code::kNotFound) return {};
    if (!read.ok()) return read.status();
    if (read->units.size() > units_.size() || !IsPermutation(read->order))
      return Error(Code::kCorrupt, "%s: %zu units and an order of %zu images, expected at most %zu and %zu",
                   options_.checkpoint.c_str(), read->units.size(), read->order.size(), units_.size(), order_.size());
    const Status restored = network_.Restore(read->parameters);
    if (!restored.ok())
      return Error(restored.code(), "%s: %s", options_.checkpoint.c_str(), restored.message().c_str());
    checkpoint_ = std::move(*read);
    order_ = checkpoint_.order;
    return {};
  }
  bool IsPermutation(const std::vector<int64_t>& order) const {
    std::vector<bool> seen(order_.size());
    for (const int64_t i : order) {
      if (i < 0 || i >= images_ || seen[static_cast<size_t>(i)]) return false;
      seen[static_cast<size_t>(i)] = true;
    }
    return order.size() == order_.size();
  }
  Status SaveCheckpoint(const UnitReport& report) {
    checkpoint_.units.push_back(report);
    checkpoint_.order = order_;
    checkpoint_.parameters = network_.Save();
    return WriteFileAtomically(options_.checkpoint, SerializeCheckpoint(checkpoint_));
  }

  int64_t BatchOf(const Unit& unit) const {
    int64_t floats = 0;
    for (const int node : unit.nodes) floats += Elements(ValueOf(graph_.nodes[static_cast<size_t>(node)].output).shape);
    return std::clamp(kUnitFloats / std::max<int64_t>(floats, 1), kSmallestBatch, kBatch);
  }

  // forward(values) on one side of the first `images`, batch by batch; consume(first image, count, values) afterwards.
  template <class Forward, class Consume>
  Status ForBatches(const Unit& unit, Side side, int64_t images, Tape* tape, const Forward& forward,
                    const Consume& consume) {
    const int64_t batch = BatchOf(unit);
    for (int64_t begin = 0; begin < images; begin += batch) {
      const int64_t count = std::min(batch, images - begin);
      tape->Reset();
      std::vector<Var> values(graph_.values.size(), training::kNoVar);
      for (const ValueId v : unit.inputs) {
        const SampleCache& input = samples_.at(v).*side;
        values[static_cast<size_t>(v)] = tape->Constant(input.BatchShape(count), input.At(begin));
      }
      AQ_RETURN_IF_ERROR(forward(&values));
      consume(begin, count, values);
    }
    return {};
  }

  // The unit as the runtime will execute it, on quantised inputs: its loss, and its outputs if wanted.
  Result<double> RunHard(const Unit& unit, const std::vector<SampleCache>& targets, Tape* tape,
                         std::vector<SampleCache>* outputs) {
    double loss = 0;
    const auto forward = [&](std::vector<Var>* values) { return network_.Forward(tape, unit, {}, values); };
    const auto consume = [&](int64_t begin, int64_t count, const std::vector<Var>& values) {
      for (size_t o = 0; o < targets.size(); ++o) {
        const Var out = values[static_cast<size_t>(unit.outputs[o])];
        const Var target = tape->Constant(targets[o].BatchShape(count), targets[o].At(begin));
        loss += static_cast<double>(tape->scalar(MeanSquaredError(tape, out, target))) * static_cast<double>(count);
        if (outputs) std::copy_n(tape->value(out), tape->count(out), (*outputs)[o].At(begin));
      }
    };
    AQ_RETURN_IF_ERROR(ForBatches(unit, &Samples::quantized, images_, tape, forward, consume));
    return loss / static_cast<double>(images_);
  }

  Status RunUnit(const Unit& unit, std::vector<UnitReport>* reports) {
    const auto start = std::chrono::steady_clock::now();
    Tape tape(options_.num_threads);
    AQ_ASSIGN_OR_RETURN(std::vector<SampleCache> targets, MakeCaches(unit.outputs));
    const auto exact = [&](std::vector<Var>* values) { return RunNodes(&tape, graph_, unit.nodes, {}, values); };
    const auto keep = [&](int64_t begin, int64_t, const std::vector<Var>& values) {
      for (size_t o = 0; o < targets.size(); ++o) {
        const Var out = values[static_cast<size_t>(unit.outputs[o])];
        std::copy_n(tape.value(out), tape.count(out), targets[o].At(begin));
      }
    };
    AQ_RETURN_IF_ERROR(ForBatches(unit, &Samples::exact, images_, &tape, exact, keep));

    const bool is_restored = unit_ < checkpoint_.units.size();
    UnitReport report;
    if (is_restored) {
      report = checkpoint_.units[unit_];
    } else {
      report.first = graph_.nodes[static_cast<size_t>(unit.nodes.front())].name;
      report.last = graph_.nodes[static_cast<size_t>(unit.nodes.back())].name;
      AQ_ASSIGN_OR_RETURN(report.loss_before, RunHard(unit, targets, &tape, nullptr));
      report.is_trained = CanLearn(unit);
      if (report.is_trained) {
        const bool is_search = options_.rounding == Rounding::kSearch;
        AQ_RETURN_IF_ERROR(is_search ? Search(unit, targets, &tape) : Train(unit, targets, &tape));
      }
    }
    AQ_ASSIGN_OR_RETURN(std::vector<SampleCache> outputs, MakeCaches(unit.outputs));
    AQ_ASSIGN_OR_RETURN(report.loss_after, RunHard(unit, targets, &tape, &outputs));
    for (const ValueId v : unit.last_read) samples_.erase(v);
    for (size_t o = 0; o < unit.outputs.size(); ++o)
      samples_[unit.outputs[o]] = {std::move(targets[o]), std::move(outputs[o])};
    if (!is_restored) {
      report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (!options_.checkpoint.empty()) AQ_RETURN_IF_ERROR(SaveCheckpoint(report));
    }
    reports->push_back(std::move(report));
    if (progress_) progress_("reconstruct", (unit_ + 1) * static_cast<size_t>(options_.iterations), TotalSteps());
    return {};
  }

  // On float inputs: against the noise of a deep low-bit network the least error is a smaller signal, so that
  // thresholds rise unit after unit and the network goes silent (ResNet-20 at w2a2: agreement with float 28 % instead
  // of 64 %).
  Status Search(const Unit& unit, const std::vector<SampleCache>& targets, Tape* tape) {
    const std::vector<UnitNetwork::Activation*> activations = network_.Activations(unit);
    AQ_RETURN_IF_ERROR(MatchMeans(unit, &Samples::exact, tape));
    const int64_t images = std::min(images_, kSearchImages);
    const auto loss = [&]() -> Result<double> {
      double sum = 0;
      const auto forward = [&](std::vector<Var>* values) { return network_.Forward(tape, unit, {}, values); };
      const auto consume = [&](int64_t begin, int64_t count, const std::vector<Var>& values) {
        for (size_t o = 0; o < targets.size(); ++o) {
          const Var target = tape->Constant(targets[o].BatchShape(count), targets[o].At(begin));
          const Var error = MeanSquaredError(tape, values[static_cast<size_t>(unit.outputs[o])], target);
          sum += static_cast<double>(tape->scalar(error)) * static_cast<double>(count);
        }
      };
      AQ_RETURN_IF_ERROR(ForBatches(unit, &Samples::exact, images, tape, forward, consume));
      return sum;
    };
    AQ_RETURN_IF_ERROR(SearchBorders(activations, loss));
    for (UnitNetwork::Activation* activation : activations) activation->quantizer.border.is_trained = false;
    return MatchMeans(unit, &Samples::quantized, tape);
  }

  // Biases about as bias correction will leave them: else borders would be found that make up for shifts of the mean,
  // and bias correction would undo those once more (ResNet-20 at w2a2: agreement with float 38 % instead of 64 %).
  Status MatchMeans(const Unit& unit, Side side, Tape* tape) {
    if (!options_.bias_correction) return {};
    constexpr int kRounds = 2;  // a ReLU makes it non-linear
    const int64_t images = std::min(images_, kSearchImages);
    const auto exact = [&](std::vector<Var>* values) { return RunNodes(tape, graph_, unit.nodes, {}, values); };
    const auto hard = [&](std::vector<Var>* values) { return network_.Forward(tape, unit, {}, values); };
    for (const int index : unit.nodes) {
      UnitNetwork::Layer* layer = network_.FindLayer(index);
      const Node& node = graph_.nodes[static_cast<size_t>(index)];
      for (int round = 0; layer && round < kRounds; ++round) {
        ChannelMeans wanted(node.clip_low, node.clip_high), found(node.clip_low, node.clip_high);
        const auto add_to = [&](ChannelMeans* means) {
          return [&node, means, tape](int64_t, int64_t, const std::vector<Var>& values) {
            means->Add(*tape, values[static_cast<size_t>(node.output)]);
          };
        };
        AQ_RETURN_IF_ERROR(ForBatches(unit, &Samples::exact, images, tape, exact, add_to(&wanted)));
        AQ_RETURN_IF_ERROR(ForBatches(unit, side, images, tape, hard, add_to(&found)));
        found.MoveBiases(wanted, &layer->bias.value);
      }
    }
    return {};
  }

  size_t TotalSteps() const { return units_.size() * static_cast<size_t>(options_.iterations); }

  // Eight bits are as good as float here: only units with something narrower are worth the time.
  bool CanLearn(const Unit& unit) {
    const auto activations = network_.Activations(unit);
    return !network_.Layers(unit).empty() ||
           std::any_of(activations.begin(), activations.end(), [](const auto* a) { return a->quantizer.bits < 8; });
  }

  void Gather(const SampleCache& cache, int64_t count, std::vector<float>* batch) const {
    batch->resize(static_cast<size_t>(count * cache.per_image));
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(cache.At(order_[static_cast<size_t>(i)]), cache.per_image, batch->data() + i * cache.per_image);
  }

  Status Train(const Unit& unit, const std::vector<SampleCache>& targets, Tape* tape) {
    const std::vector<UnitNetwork::Layer*> layers = network_.Layers(unit);
    const std::vector<UnitNetwork::Activation*> activations = network_.Activations(unit);
    const int64_t iterations = options_.iterations, count = std::min(BatchOf(unit), images_);
    training::Adam adam(iterations);
    const int64_t warm_up = iterations / 5;  // borders wait for the steps to settle
    for (UnitNetwork::Layer* layer : layers) {
      adam.AddGroup({.parameters = {&layer->weights.alpha}, .learning_rate = kWeightRate});
      adam.AddGroup({.parameters = {&layer->bias}, .learning_rate = kBiasRate, .cosine = true});
    }
    for (UnitNetwork::Activation* activation : activations) {
      training::ActivationQuantizer& q = activation->quantizer;
      adam.AddGroup({.parameters = {&q.step}, .learning_rate = kStepRate, .cosine = true});
      adam.AddGroup({.parameters = {&q.border},
                     .learning_rate = activation->border_rate(),
                     .cosine = true,
                     .first_step = warm_up});
    }
    std::vector<float> exact, quantized;
    std::vector<std::vector<float>> mixed(unit.inputs.size()), wanted(targets.size());
    for (int64_t it = 0; it < iterations; ++it) {
      const uint64_t iteration = static_cast<uint64_t>(it);
      training::ShuffleHead({options_.seed, kBatchStream + 2 * (unit_ + 1), iteration}, static_cast<size_t>(count),
                            order_);
      tape->Reset();
      std::vector<Var> values(graph_.values.size(), training::kNoVar);
      for (size_t i = 0; i < unit.inputs.size(); ++i) {
        const Samples& input = samples_.at(unit.inputs[i]);
        Gather(input.exact, count, &exact);
        Gather(input.quantized, count, &quantized);
        mixed[i].resize(exact.size());
        const uint64_t draw = iteration | uint64_t{i} << 32;
        training::MixInputs({.keep = kKeep, .key = {options_.seed, kMixStream + 2 * (unit_ + 1), draw}},
                            quantized.data(), exact.data(), static_cast<int64_t>(exact.size()), mixed[i].data());
        values[static_cast<size_t>(unit.inputs[i])] = tape->Constant(input.exact.BatchShape(count), mixed[i].data());
      }
      const UnitNetwork::Mode mode{training::WeightRounding::kSoft, kKeep, iteration};
      AQ_RETURN_IF_ERROR(network_.Forward(tape, unit, mode, &values));
      std::vector<training::WeightedTerm> terms;
      for (size_t o = 0; o < targets.size(); ++o) {
        Gather(targets[o], count, &wanted[o]);
        const Var target = tape->Constant(targets[o].BatchShape(count), wanted[o].data());
        terms.push_back({MeanSquaredError(tape, values[static_cast<size_t>(unit.outputs[o])], target), 1});
      }
      if (const float beta = training::AnnealedBeta(it, iterations); beta > 0)
        for (UnitNetwork::Layer* layer : layers)
          terms.push_back({RoundingRegulariser(tape, &layer->weights, beta), kRegulariserWeight});
      tape->Backward(WeightedSum(tape, terms));
      adam.Step();
      for (UnitNetwork::Activation* activation : activations) activation->Project();
      if (progress_) progress_("reconstruct", unit_ * static_cast<size_t>(iterations) + iteration, TotalSteps());
    }
    for (UnitNetwork::Activation* activation : activations)  // a group read by a later unit stays as it is now
      activation->quantizer.step.is_trained = activation->quantizer.border.is_trained = false;
    return {};
  }

  const Graph& graph_;
  const ActivationPlan& plan_;
  const std::vector<Histogram>& groups_;
  const ConvertOptions& options_;
  const Progress& progress_;
  const std::vector<Unit> units_;
  UnitNetwork network_;
  CacheBudget budget_;
  Checkpoint checkpoint_;  // of the units done, by this process or one before
  size_t unit_ = 0;
  int64_t images_ = 0;
  std::vector<int64_t> order_;
  std::map<ValueId, Samples> samples_;  // of the values that the unit or later ones read
};

}  // namespace

Result<LearnedQuantization> Reconstruct(const Graph& graph, const ActivationPlan& plan,
                                        const std::vector<Histogram>& groups, const ImageSource& images,
                                        std::span<const size_t> indices, const ConvertOptions& options,
                                        const Progress& progress, ConvertReport* report) {
  ConvertOptions adjusted = options;
  if (options.rounding == Rounding::kSearch) {
    adjusted.border = Border::kFree;  // too many thresholds to try, were they per channel
    adjusted.iterations = 1;          // of progress
    adjusted.learn_biases = false;
    adjusted.tune_iterations = 0;
  }
  return Reconstruction(graph, plan, groups, adjusted, progress).Run(images, indices, report);
}

}  // namespace aq::converter
