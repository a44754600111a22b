// SPDX-License-Identifier: Apache-2.0
// The list of passes, and the ones about structure: dead nodes and validity. The others: passes_identity.cc (no-ops),
// passes_affine.cc (constants into weights), passes_fuse.cc (activations, residuals, padding, patterns).
#include "converter/passes.h"

#include <algorithm>
#include <cinttypes>

#include "converter/shapes.h"

namespace aq::converter {

Status Lower(Graph* graph) {
  RemoveIdentities(graph);
  FusePatterns(graph);
  FoldAffine(graph);
  RemoveIdentities(graph);  // reshapes around folded affines are gone now
  FuseActivations(graph);
  MergePads(graph);  // after activations: a max pool may swallow zeros only behind a Relu
  FuseResiduals(graph);
  RemoveDeadNodes(graph);
  if (const Status status = Validate(*graph); !status.ok()) {
    return Error(Code::kInternal, "simplified graph: %s", status.message().c_str());
  }
  return {};
}

void RemoveDeadNodes(Graph* graph) {
  std::vector<bool> is_live(graph->values.size(), false);
  for (ValueId output : graph->outputs) is_live[static_cast<size_t>(output)] = true;
  is_live[static_cast<size_t>(graph->input)] = true;
  for (size_t i = graph->nodes.size(); i-- > 0;) {
    const Node& node = graph->nodes[i];
    if (!is_live[static_cast<size_t>(node.output)]) continue;
    for (ValueId input : node.inputs) is_live[static_cast<size_t>(input)] = true;
  }
  std::erase_if(graph->nodes, [&](const Node& node) { return !is_live[static_cast<size_t>(node.output)]; });
  std::vector<ValueId> renumbered(graph->values.size(), -1);
  std::vector<Value> values;
  for (size_t i = 0; i < graph->values.size(); ++i) {
    if (!is_live[i]) continue;
    renumbered[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph->values[i]));
  }
  graph->values = std::move(values);
  auto renumber = [&](ValueId& value) { value = renumbered[static_cast<size_t>(value)]; };
  renumber(graph->input);
  for (ValueId& output : graph->outputs) renumber(output);
  for (Node& node : graph->nodes) {
    renumber(node.output);
    for (ValueId& input : node.inputs) renumber(input);
  }
}

Status Validate(const Graph& graph) {
  const size_t count = graph.values.size();
  auto is_value = [&](ValueId value) { return value >= 0 && static_cast<size_t>(value) < count; };
  std::vector<bool> is_written(count, false);
  if (!is_value(graph.input)) return Error(Code::kInvalidArgument, "input %d of %zu values", graph.input, count);
  is_written[static_cast<size_t>(graph.input)] = true;
  for (const Node& node : graph.nodes) {
    const char* name = node.name.c_str();
    std::vector<Shape> shapes;
    for (ValueId input : node.inputs) {
      if (!is_value(input) || !is_written[static_cast<size_t>(input)]) {
        return Error(Code::kInvalidArgument, "%s reads value %d before it is written", name, input);
      }
      shapes.push_back(graph.values[static_cast<size_t>(input)].shape);
    }
    if (!is_value(node.output) || is_written[static_cast<size_t>(node.output)]) {
      return Error(Code::kInvalidArgument, "%s writes value %d, out of range or written before", name, node.output);
    }
    is_written[static_cast<size_t>(node.output)] = true;
    const Shape& declared = graph.values[static_cast<size_t>(node.output)].shape;
    const Result<Shape> shape = InferShape(node.attributes, shapes, declared);
    if (!shape.ok()) return Error(Code::kInvalidArgument, "%s: %s", name, shape.status().message().c_str());
    if (shape.value() != declared) {
      return Error(Code::kInvalidArgument, "%s: shape %s, declared %s", name, ShapeText(shape.value()).c_str(),
                   ShapeText(declared).c_str());
    }
    if (!(node.clip_low <= node.clip_high)) {
      return Error(Code::kInvalidArgument, "%s: clip [%g, %g]", name, static_cast<double>(node.clip_low),
                   static_cast<double>(node.clip_high));
    }
  }
  if (graph.outputs.empty()) return Error(Code::kInvalidArgument, "no outputs");
  for (ValueId output : graph.outputs) {
    if (!is_value(output) || !is_written[static_cast<size_t>(output)]) {
      return Error(Code::kInvalidArgument, "output value %d is not written", output);
    }
  }
  return {};
}

}  // namespace aq::converter
