// SPDX-License-Identifier: Apache-2.0
#include "converter/units.h"

#include <algorithm>

#include "converter/recipe.h"

namespace aq::converter {
namespace {

// Index of the last node that reads each value; one past the end for graph outputs, -1 for values nobody reads.
std::vector<int> LastReaders(const Graph& graph) {
  std::vector<int> last(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const ValueId v : graph.nodes[i].inputs) last[static_cast<size_t>(v)] = static_cast<int>(i);
  for (const ValueId v : graph.outputs) last[static_cast<size_t>(v)] = static_cast<int>(graph.nodes.size());
  return last;
}

bool HasWeights(const Graph& graph, const Unit& unit) {
  return std::any_of(unit.nodes.begin(), unit.nodes.end(),
                     [&](int node) { return IsWeightLayer(graph.nodes[static_cast<size_t>(node)]); });
}

// Whether a cut after node i would part a depthwise layer from the layer after it, or from the one before it where all
// three are an inverted bottleneck: the last is linear.
bool PartsDepthwise(const Graph& graph, size_t i) {
  const auto feeds_next = [&](size_t n) {
    return n + 1 < graph.nodes.size() && graph.nodes[n + 1].inputs[0] == graph.nodes[n].output &&
           IsWeightLayer(graph.nodes[n + 1]);
  };
  if (!feeds_next(i)) return false;
  if (IsDepthwise(graph.nodes[i])) return true;
  return IsDepthwise(graph.nodes[i + 1]) && feeds_next(i + 1) && !graph.nodes[i + 2].has_clip();
}

// Fills in what crosses the unit's two cuts.
void ConnectUnit(const Graph& graph, const std::vector<int>& last_reader, Unit* unit) {
  const int first = unit->nodes.front(), last = unit->nodes.back();
  std::vector<bool> is_seen(graph.values.size());
  for (int i = first; i <= last; ++i) {
    const Node& node = graph.nodes[static_cast<size_t>(i)];
    for (const ValueId v : node.inputs) {
      if (is_seen[static_cast<size_t>(v)]) continue;
      is_seen[static_cast<size_t>(v)] = true;
      unit->inputs.push_back(v);
      if (last_reader[static_cast<size_t>(v)] <= last) unit->last_read.push_back(v);
    }
    is_seen[static_cast<size_t>(node.output)] = true;
    if (last_reader[static_cast<size_t>(node.output)] > last) unit->outputs.push_back(node.output);
  }
}

}  // namespace

std::vector<Unit> SplitIntoUnits(const Graph& graph, UnitKind kind) {
  const std::vector<int> last_reader = LastReaders(graph);
  std::vector<Unit> units;
  std::vector<ValueId> live{graph.input};  // still read by the nodes to come
  Unit unit;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    unit.nodes.push_back(i);
    live.push_back(graph.nodes[static_cast<size_t>(i)].output);
    std::erase_if(live, [&](ValueId v) { return last_reader[static_cast<size_t>(v)] <= i; });
    const bool is_end = i + 1 == static_cast<int>(graph.nodes.size());
    const bool is_block = live.size() == 1 && !PartsDepthwise(graph, static_cast<size_t>(i));
    const bool is_cut = HasWeights(graph, unit) && (kind == UnitKind::kLayer || is_block);
    if (!is_end && !is_cut) continue;
    if (is_end && !HasWeights(graph, unit) && !units.empty()) {
      units.back().nodes.insert(units.back().nodes.end(), unit.nodes.begin(), unit.nodes.end());
    } else {
      units.push_back(std::move(unit));
    }
    unit = {};
  }
  for (Unit& made : units) ConnectUnit(graph, last_reader, &made);
  return units;
}

}  // namespace aq::converter
