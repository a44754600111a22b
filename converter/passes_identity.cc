// SPDX-License-Identifier: Apache-2.0
// RemoveIdentities and the graph surgery the passes share.
#include <algorithm>

#include "converter/passes.h"
#include "converter/passes_support.h"

namespace aq::converter {
namespace {

bool IsIdentity(const Node& node, const Shape& in, const Shape& out) {
  if (node.has_clip() || in != out) return false;
  if (const auto* e = std::get_if<Elementwise>(&node.attributes)) {
    switch (e->function) {
      case Function::kIdentity:
        return true;
      case Function::kAffine:
        return e->alpha == 1 && e->beta == 0;
      case Function::kClip:
        return e->alpha == -kInfinity && e->beta == kInfinity;
      default:
        return false;
    }
  }
  if (const auto* transpose = std::get_if<Transpose>(&node.attributes)) {
    return std::is_sorted(transpose->permutation.begin(), transpose->permutation.end());
  }
  // Same shape: nothing was cut, added or joined.
  return std::holds_alternative<Reshape>(node.attributes) || std::holds_alternative<Slice>(node.attributes) ||
         std::holds_alternative<Pad>(node.attributes) ||
         (std::holds_alternative<Concat>(node.attributes) && node.inputs.size() == 1);
}

// Dimensions longer than 1 keep their order: no element moves.
bool IsReshape(const Transpose& transpose, const Shape& in) {
  int64_t last = -1;
  for (int64_t axis : transpose.permutation) {
    if (in[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

// A node that only renames its producer's work: Reshape of a Reshape, Transpose of a Transpose.
void MergeWithProducer(Graph* graph, Node* node, const Links& links) {
  Node* producer = links.Producer(graph, node->inputs[0]);
  if (!producer || producer->has_clip()) return;
  if (As<Reshape>(node) && As<Reshape>(producer)) node->inputs[0] = producer->inputs[0];
  Transpose *outer = As<Transpose>(node), *inner = As<Transpose>(producer);
  if (outer && inner) {
    for (int64_t& axis : outer->permutation) axis = inner->permutation[static_cast<size_t>(axis)];
    node->inputs[0] = producer->inputs[0];
  }
}

// Exporters of channels-last frameworks begin with a Transpose to NCHW: the graph's input is NCHW instead.
void DropInputTranspose(Graph* graph) {
  const Links links(*graph);
  if (!links.IsPrivate(graph->input)) return;
  for (Node& node : graph->nodes) {
    const Transpose* transpose = As<Transpose>(&node);
    if (!transpose || node.inputs[0] != graph->input || node.has_clip()) continue;
    if (transpose->permutation != std::vector<int64_t>{0, 3, 1, 2}) return;
    Value& input = graph->values[static_cast<size_t>(graph->input)];
    graph->warnings.push_back("input " + input.name + " is channels-last in the ONNX file; here it is {1, C, H, W}");
    input.shape = graph->values[static_cast<size_t>(node.output)].shape;
    ReplaceUses(graph, node.output, graph->input);
    MarkRemoved(&node);
    break;
  }
  EraseRemoved(graph);
}

}  // namespace

Links::Links(const Graph& graph) : producers_(Producers(graph)), uses_(graph.values.size(), 0) {
  for (const Node& node : graph.nodes) {
    for (ValueId input : node.inputs) ++uses_[static_cast<size_t>(input)];
  }
  // Twice: a graph output is never private.
  for (ValueId output : graph.outputs) uses_[static_cast<size_t>(output)] += 2;
}

Node* Links::Producer(Graph* graph, ValueId value) const {
  const int node = producers_[static_cast<size_t>(value)];
  return node < 0 ? nullptr : &graph->nodes[static_cast<size_t>(node)];
}

void ReplaceUses(Graph* graph, ValueId from, ValueId to) {
  for (Node& node : graph->nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  const bool was_output = std::count(graph->outputs.begin(), graph->outputs.end(), to) > 0;
  if (std::count(graph->outputs.begin(), graph->outputs.end(), from) && !was_output && to != graph->input) {
    graph->values[static_cast<size_t>(to)].name = graph->values[static_cast<size_t>(from)].name;
  }
  std::replace(graph->outputs.begin(), graph->outputs.end(), from, to);
}

void EraseRemoved(Graph* graph) {
  std::erase_if(graph->nodes, [](const Node& node) { return node.output < 0; });
}

// One round; what it removes may bring two nodes together that the next round merges.
static void RemoveOnce(Graph* graph) {
  const Links links(*graph);
  for (Node& node : graph->nodes) {
    const Shape in = graph->values[static_cast<size_t>(node.inputs[0])].shape;
    if (Transpose* transpose = As<Transpose>(&node); transpose && IsReshape(*transpose, in))
      node.attributes = Reshape{};
    MergeWithProducer(graph, &node, links);
  }
  for (Node& node : graph->nodes) {
    const auto& shape_in = graph->values[static_cast<size_t>(node.inputs[0])].shape;
    const auto& shape_out = graph->values[static_cast<size_t>(node.output)].shape;
    if (!IsIdentity(node, shape_in, shape_out)) continue;
    const ValueId from = node.output, to = node.inputs[0];
    // A graph whose output is its input has nothing to run: keep the last node.
    if (to == graph->input && std::count(graph->outputs.begin(), graph->outputs.end(), from)) continue;
    ReplaceUses(graph, from, to);
    MarkRemoved(&node);
  }
  EraseRemoved(graph);
  RemoveDeadNodes(graph);
}

void RemoveIdentities(Graph* graph) {
  DropInputTranspose(graph);
  for (size_t before = 0; before != graph->nodes.size();) {
    before = graph->nodes.size();
    RemoveOnce(graph);
  }
}

}  // namespace aq::converter
