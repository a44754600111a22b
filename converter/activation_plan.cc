// SPDX-License-Identifier: Apache-2.0
#include "converter/activation_plan.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "converter/layout.h"
#include "converter/recipe.h"

namespace aq::converter {
namespace {

constexpr int kDefaultBits = 8;
constexpr size_t kMaxWidths = 2;

template <class T>
bool Is(const Node& node) {
  return std::holds_alternative<T>(node.attributes);
}

class Planner {
 public:
  Planner(const Graph& graph, const ConvertOptions& options)
      : graph_(graph),
        options_(options),
        producers_(Producers(graph)),
        consumers_(Consumers(graph)),
        parent_(graph.values.size()) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }

  Result<ActivationPlan> Run() {
    AQ_ASSIGN_OR_RETURN(plan_.bits, AssignBits(graph_, options_));
    FindAliases();
    TieValues();
    if (options_.edges == Edges::kBrecq) KeepFirstOutputsWide();
    CollectDemands();
    ResolveWidths();
    plan_.is_observed.assign(graph_.values.size(), false);
    for (size_t v = 0; v < graph_.values.size(); ++v) {
      plan_.group.push_back(Root(static_cast<int>(v)));
      const int producer = producers_[v];
      plan_.is_observed[v] = producer >= 0 && !tied_[static_cast<size_t>(producer)];
    }
    return std::move(plan_);
  }

 private:
  const Node& NodeOf(int index) const { return graph_.nodes[static_cast<size_t>(index)]; }
  bool IsGraphOutput(ValueId v) const {
    return std::find(graph_.outputs.begin(), graph_.outputs.end(), v) != graph_.outputs.end();
  }
  int Root(int v) {
    while (parent_[static_cast<size_t>(v)] != v) v = parent_[static_cast<size_t>(v)];
    return v;
  }
  // The smaller index becomes the root: producers come before consumers.
  void Unite(int a, int b) {
    a = Root(a), b = Root(b);
    parent_[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
  }

  // A graph output that only reshapes a value nobody else reads: the value itself is the output.
  void FindAliases() {
    plan_.alias.resize(graph_.values.size());
    std::iota(plan_.alias.begin(), plan_.alias.end(), 0);
    for (const ValueId output : graph_.outputs) {
      ValueId v = output;
      while (true) {
        const int producer = producers_[static_cast<size_t>(v)];
        if (producer < 0 || !Is<Reshape>(NodeOf(producer)) || NodeOf(producer).has_clip()) break;
        const ValueId source = NodeOf(producer).inputs[0];
        const auto shape = [&](ValueId id) -> const Shape& { return graph_.values[static_cast<size_t>(id)].shape; };
        if (consumers_[static_cast<size_t>(v)].size() > (v == output ? 0u : 1u) || source == graph_.input) break;
        if (!IsOrderFree(shape(v)) || !IsOrderFree(shape(source)) ||
            consumers_[static_cast<size_t>(source)].size() != 1 || IsGraphOutput(source))
          break;
        v = source;
      }
      for (ValueId w = output; w != v; w = NodeOf(producers_[static_cast<size_t>(w)]).inputs[0])
        plan_.alias[static_cast<size_t>(w)] = v;
    }
  }

  // Clip range of the codes of a value: its producer's, or through a pass-through its input's.
  std::pair<float, float> ClipOf(ValueId v) const {
    const int producer = producers_[static_cast<size_t>(v)];
    if (producer < 0) return {-kInfinity, kInfinity};
    const Node& node = NodeOf(producer);
    if (!node.has_clip() && IsPassThrough(node)) return ClipOf(node.inputs[0]);
    return {node.clip_low, node.clip_high};
  }

  // A concatenation whose inputs nobody else reads and which clip alike: they are written in its quantisation at once.
  bool CanTieConcat(const Node& node) const {
    if (node.has_clip()) return false;
    for (const ValueId input : node.inputs) {
      const int producer = producers_[static_cast<size_t>(input)];
      if (producer < 0 || IsPassThrough(NodeOf(producer)) || Is<Concat>(NodeOf(producer)) || IsGraphOutput(input))
        return false;
      if (consumers_[static_cast<size_t>(input)].size() != 1 || ClipOf(input) != ClipOf(node.inputs[0])) return false;
    }
    return true;
  }

  void TieValues() {
    tied_.assign(graph_.nodes.size(), false);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      tied_[i] = (IsPassThrough(node) && !node.has_clip()) || (Is<Concat>(node) && CanTieConcat(node));
      if (!tied_[i]) continue;
      for (const ValueId input : node.inputs) Unite(input, node.output);
    }
  }

  void KeepFirstOutputsWide() {
    is_wide_.assign(graph_.values.size(), false);
    const EdgeLayers edges = FindEdgeLayers(graph_);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      is_wide_[static_cast<size_t>(node.output)] =
          edges.is_first[i] || (tied_[i] && is_wide_[static_cast<size_t>(node.inputs[0])]);
    }
  }

  void Demand(ValueId v, int width) {
    const bool is_wide = !is_wide_.empty() && is_wide_[static_cast<size_t>(v)];
    demands_[static_cast<size_t>(v)].insert(is_wide ? kDefaultBits : width);
  }

  void DemandResidual(ValueId v, int width) {
    if (width != 0) Demand(v, width);
  }

  // Consumers first, so that a pass-through knows what is asked of its output.
  void CollectDemands() {
    demands_.resize(graph_.values.size());
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Node& node = graph_.nodes[i];
      if (IsWeightLayer(node)) {
        Demand(node.inputs[0], plan_.bits[i].activations);
        if (node.inputs.size() > 1) DemandResidual(node.inputs[1], plan_.bits[i].residual);
      } else if (Is<Add>(node)) {
        for (const ValueId input : node.inputs) DemandResidual(input, plan_.bits[i].residual);
      } else if (Is<Elementwise>(node) || (IsPassThrough(node) && !tied_[i])) {
        Demand(node.inputs[0], kDefaultBits);
      } else if (tied_[i]) {
        for (const ValueId input : node.inputs)
          for (const int width : demands_[static_cast<size_t>(node.output)]) Demand(input, width);
      }
    }
  }

  // Accumulators as they are: a weight layer's, or an average that nobody else reads.
  bool CanBeRaw(size_t v, const Node& node) const {
    if (node.has_clip()) return false;
    const Pool* pool = std::get_if<Pool>(&node.attributes);
    return IsWeightLayer(node) || (pool && pool->kind == PoolKind::kAverage && !IsReadAsCodes(v));
  }
  // Somebody other than the reshape that makes the value a graph output reads it.
  bool IsReadAsCodes(size_t v) const {
    for (const int consumer : consumers_[v])
      if (plan_.alias[static_cast<size_t>(NodeOf(consumer).output)] != static_cast<ValueId>(v)) return true;
    return false;
  }

  void ResolveWidths() {
    plan_.widths.resize(graph_.values.size());
    plan_.widths[static_cast<size_t>(graph_.input)] = {kDefaultBits};
    std::vector<bool> is_output(graph_.values.size());
    for (const ValueId v : graph_.outputs) is_output[static_cast<size_t>(plan_.alias[static_cast<size_t>(v)])] = true;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      const size_t v = static_cast<size_t>(node.output);
      std::set<int, std::greater<>> widths;
      if (tied_[i]) {
        // What exists of the input; a tied concatenation's inputs were all asked for the same.
        const auto& available = plan_.widths[static_cast<size_t>(node.inputs[0])];
        for (const int width : demands_[v]) widths.insert(ChooseWidth(available, width));
        if (widths.empty()) widths.insert(WidestCode(available));
      } else {
        widths.insert(demands_[v].begin(), demands_[v].end());
        const bool is_raw = is_output[v] && CanBeRaw(v, node);
        if (widths.empty() && (!is_raw || IsReadAsCodes(v))) widths.insert(kDefaultBits);
        if (is_raw) widths.insert(kRawBits);
      }
      // More recipes for one value than an op can store: those in the middle read the widest.
      while (widths.size() > kMaxWidths) widths.erase(std::next(widths.begin()));
      plan_.widths[v].assign(widths.begin(), widths.end());
    }
    for (size_t v = 0; v < plan_.alias.size(); ++v)
      if (plan_.alias[v] != static_cast<ValueId>(v)) plan_.widths[v].clear();
  }

  const Graph& graph_;
  const ConvertOptions& options_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
  std::vector<int> parent_;
  std::vector<bool> tied_;     // per node: output and inputs are one group
  std::vector<bool> is_wide_;  // per value: every consumer reads 8 bits (brecq)
  std::vector<std::set<int>> demands_;
  ActivationPlan plan_;
};

}  // namespace

bool IsPassThrough(const Node& node) {
  const Pool* pool = std::get_if<Pool>(&node.attributes);
  return (pool && pool->kind == PoolKind::kMax) || Is<Reshape>(node) || Is<Transpose>(node) || Is<Slice>(node) ||
         Is<Pad>(node);
}

int WidestCode(const std::vector<int>& widths) {
  for (const int width : widths)
    if (width != kRawBits) return width;
  return kDefaultBits;
}

int ChooseWidth(const std::vector<int>& widths, int wanted) {
  int best = WidestCode(widths);
  for (const int width : widths)
    if (width != kRawBits && width >= wanted) best = std::min(best, width);
  return best;
}

Result<ActivationPlan> PlanActivations(const Graph& graph, const ConvertOptions& options) {
  return Planner(graph, options).Run();
}

}  // namespace aq::converter
