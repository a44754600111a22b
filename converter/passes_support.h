// SPDX-License-Identifier: Apache-2.0
// What several passes ask of a graph. Internal to passes*.cc.
#pragma once

#include "converter/graph.h"

namespace aq::converter {

// Who writes and reads each value, taken once per pass. Stays valid while no node changes place (MarkRemoved, and
// EraseRemoved at the end) and every change of a writer is told.
class Links {
 public:
  explicit Links(const Graph& graph);
  // The node that writes `value`, or nullptr for the graph input.
  Node* Producer(Graph* graph, ValueId value) const;
  void SetProducer(const Graph& graph, const Node& node) {
    producers_[static_cast<size_t>(node.output)] = static_cast<int>(&node - graph.nodes.data());
  }
  // Read exactly once and not a graph output: whoever reads it may swallow its producer.
  bool IsPrivate(ValueId value) const { return uses_[static_cast<size_t>(value)] == 1; }

 private:
  std::vector<int> producers_;
  std::vector<int> uses_;  // graph outputs included
};

template <class T>
T* As(Node* node) {
  return node ? std::get_if<T>(&node->attributes) : nullptr;
}
inline Elementwise* AsFunction(Node* node, Function function) {
  Elementwise* elementwise = As<Elementwise>(node);
  return elementwise && elementwise->function == function ? elementwise : nullptr;
}

// Readers of `from`, and graph outputs, see `to` instead. A graph output's ONNX name moves along where it can.
void ReplaceUses(Graph* graph, ValueId from, ValueId to);
// Removes nodes marked by MarkRemoved (their output is -1).
void EraseRemoved(Graph* graph);
inline void MarkRemoved(Node* node) { node->output = -1; }

}  // namespace aq::converter
