// SPDX-License-Identifier: Apache-2.0
// Passes that let one node do the work of two: activations, residual additions, padding and activation patterns.
#include <algorithm>
#include <cmath>

#include "converter/passes.h"
#include "converter/passes_support.h"

namespace aq::converter {
namespace {

bool IsClose(float a, float b) { return std::fabs(a - b) <= 1e-6f * std::fabs(b); }

// Nodes whose kernel ends in a requantisation, and so can clip for nothing. Max pooling, reshapes, slices and the like
// pass codes through.
bool CanClip(const Node& node) {
  if (const Pool* pool = std::get_if<Pool>(&node.attributes)) return pool->kind == PoolKind::kAverage;
  return std::holds_alternative<Conv>(node.attributes) || std::holds_alternative<Dense>(node.attributes) ||
         std::holds_alternative<Add>(node.attributes) || std::holds_alternative<Mul>(node.attributes) ||
         std::holds_alternative<Elementwise>(node.attributes);
}

bool ClipRange(const Node& node, float* low, float* high) {
  const Elementwise* e = std::get_if<Elementwise>(&node.attributes);
  if (!e || (e->function != Function::kRelu && e->function != Function::kClip)) return false;
  *low = e->function == Function::kRelu ? 0.0f : e->alpha;
  *high = e->function == Function::kRelu ? kInfinity : e->beta;
  // The activation's own clip, if an earlier run gave it one, comes after.
  *low = std::min(std::max(*low, node.clip_low), node.clip_high);
  *high = std::min(std::max(*high, node.clip_low), node.clip_high);
  return *low <= *high;
}

// affine -> clip [0, top] -> scale by 1 / top is a hard sigmoid; without the affine too.
void MakeHardSigmoid(Graph* graph, Node* node, const Links& links) {
  const Elementwise* scale = AsFunction(node, Function::kAffine);
  if (!scale || scale->beta != 0 || node->has_clip() || !links.IsPrivate(node->inputs[0])) return;
  Node* clip_node = links.Producer(graph, node->inputs[0]);
  const Elementwise* clip = AsFunction(clip_node, Function::kClip);
  if (!clip || clip_node->has_clip() || clip->alpha != 0 || clip->beta == kInfinity ||
      !IsClose(scale->alpha * clip->beta, 1.0f) || !links.IsPrivate(clip_node->inputs[0])) {
    return;
  }
  Node* affine_node = links.Producer(graph, clip_node->inputs[0]);
  const Elementwise* affine = AsFunction(affine_node, Function::kAffine);
  if (!affine || affine_node->has_clip()) return;
  const Elementwise fused{
      .function = Function::kHardSigmoid, .alpha = affine->alpha / clip->beta, .beta = affine->beta / clip->beta};
  node->inputs = affine_node->inputs;
  node->attributes = fused;
}

// x * gate(x): the other operand of a Mul is a private function of x.
void MakeGated(Graph* graph, Node* node, const Links& links) {
  for (size_t i = 0; i < 2; ++i) {
    const ValueId x = node->inputs[1 - i], gate_value = node->inputs[i];
    Node* gate = links.Producer(graph, gate_value);
    const Elementwise* e = As<Elementwise>(gate);
    if (!e || gate->has_clip() || gate->inputs[0] != x || !links.IsPrivate(gate_value)) continue;
    Function fused = Function::kIdentity;
    if (e->function == Function::kSigmoid) fused = Function::kSilu;
    if (e->function == Function::kHardSigmoid && IsClose(e->alpha, 1.0f / 6.0f) && IsClose(e->beta, 0.5f)) {
      fused = Function::kHardSwish;
    }
    if (fused == Function::kIdentity) continue;
    node->inputs = {x};
    node->attributes = Elementwise{.function = fused};
    return;
  }
}

// x * clip(x + 3, 0, 6) / 6, the division last.
void MakeHardSwish(Graph* graph, Node* node, const Links& links) {
  const Elementwise* scale = AsFunction(node, Function::kAffine);
  if (!scale || scale->beta != 0 || !IsClose(scale->alpha, 1.0f / 6.0f) || !links.IsPrivate(node->inputs[0])) return;
  Node* mul = links.Producer(graph, node->inputs[0]);
  if (!As<Mul>(mul) || mul->has_clip()) return;
  for (size_t i = 0; i < 2; ++i) {
    const ValueId x = mul->inputs[1 - i];
    Node* clip_node = links.Producer(graph, mul->inputs[i]);
    const Elementwise* clip = AsFunction(clip_node, Function::kClip);
    if (!clip || clip_node->has_clip() || clip->alpha != 0 || clip->beta != 6 || !links.IsPrivate(mul->inputs[i]) ||
        !links.IsPrivate(clip_node->inputs[0])) {
      continue;
    }
    Node* affine_node = links.Producer(graph, clip_node->inputs[0]);
    const Elementwise* affine = AsFunction(affine_node, Function::kAffine);
    if (!affine || affine_node->has_clip() || affine->alpha != 1 || affine->beta != 3 || affine_node->inputs[0] != x) {
      continue;
    }
    node->inputs = {x};
    node->attributes = Elementwise{.function = Function::kHardSwish};
    return;
  }
}

// An activation behind a private Reshape goes before it, where it can be fused.
void SwapWithReshape(Graph* graph) {
  const Links links(*graph);
  for (Node& node : graph->nodes) {
    if (!As<Elementwise>(&node) || !links.IsPrivate(node.inputs[0])) continue;
    Node* reshape = links.Producer(graph, node.inputs[0]);
    if (!As<Reshape>(reshape) || reshape->has_clip()) continue;
    // Same two values: the middle one takes the shape before the reshape.
    Value& middle = graph->values[static_cast<size_t>(node.inputs[0])];
    middle.shape = graph->values[static_cast<size_t>(reshape->inputs[0])].shape;
    std::swap(node.name, reshape->name);
    std::swap(node.attributes, reshape->attributes);
    std::swap(node.clip_low, reshape->clip_low);
    std::swap(node.clip_high, reshape->clip_high);
  }
}

}  // namespace

void FusePatterns(Graph* graph) {
  // One kind at a time: each looks at what the one before made.
  for (auto make : {MakeHardSigmoid, MakeGated, MakeHardSwish}) {
    const Links links(*graph);
    for (Node& node : graph->nodes) {
      if (make != MakeGated || As<Mul>(&node)) make(graph, &node, links);
    }
    RemoveDeadNodes(graph);
  }
}

void FuseActivations(Graph* graph) {
  SwapWithReshape(graph);
  Links links(*graph);
  for (Node& node : graph->nodes) {
    float low = 0, high = 0;
    Node* producer = links.Producer(graph, node.inputs[0]);
    if (!ClipRange(node, &low, &high) || !producer || !CanClip(*producer) || !links.IsPrivate(node.inputs[0])) continue;
    producer->clip_low = std::min(std::max(producer->clip_low, low), high);
    producer->clip_high = std::min(std::max(producer->clip_high, low), high);
    producer->output = node.output;
    links.SetProducer(*graph, *producer);
    MarkRemoved(&node);
  }
  EraseRemoved(graph);
  RemoveDeadNodes(graph);
}

void FuseResiduals(Graph* graph) {
  const Links links(*graph);
  for (Node& add : graph->nodes) {
    if (!As<Add>(&add)) continue;
    Node* chosen = nullptr;
    ValueId residual = -1;
    for (size_t side = 0; side < 2; ++side) {
      Node* producer = links.Producer(graph, add.inputs[side]);
      const bool can_add = producer && (As<Conv>(producer) || As<Dense>(producer)) && producer->inputs.size() == 1 &&
                           !producer->has_clip() && links.IsPrivate(add.inputs[side]);
      // The later of two: the earlier one's value is then there already.
      if (can_add && (!chosen || producer > chosen)) {
        chosen = producer;
        residual = add.inputs[1 - side];
      }
    }
    if (!chosen) continue;
    // The convolution moves to the Add's place, behind both operands; nobody else reads it.
    Node fused = std::move(*chosen);
    fused.inputs.push_back(residual);
    fused.output = add.output;
    fused.clip_low = add.clip_low;
    fused.clip_high = add.clip_high;
    MarkRemoved(chosen);
    add = std::move(fused);
  }
  EraseRemoved(graph);
  RemoveDeadNodes(graph);
}

void MergePads(Graph* graph) {
  const Links links(*graph);
  for (Node& node : graph->nodes) {
    Conv* conv = As<Conv>(&node);
    Pool* pool = As<Pool>(&node);
    Node* pad_node = conv || pool ? links.Producer(graph, node.inputs[0]) : nullptr;
    const Pad* pad = As<Pad>(pad_node);
    if (!pad || pad_node->has_clip() || pad->before.size() != 4) continue;
    if (pad->before[0] != 0 || pad->after[0] != 0 || pad->before[1] != 0 || pad->after[1] != 0) continue;
    Window* window = conv ? &conv->window : &pool->window;
    if (pool) {
      const bool has_padding = window->pad_top || window->pad_left || window->pad_bottom || window->pad_right;
      if (pool->kind == PoolKind::kAverage && has_padding && !pool->count_include_pad) continue;
      if (pool->kind == PoolKind::kMax) {
        // Zeros lose against values >= 0, as long as every window sees one of those.
        const Node* before = links.Producer(graph, pad_node->inputs[0]);
        const int64_t most_h = std::max(window->pad_top + pad->before[2], window->pad_bottom + pad->after[2]);
        const int64_t most_w = std::max(window->pad_left + pad->before[3], window->pad_right + pad->after[3]);
        if (!before || before->clip_low < 0 || window->dilation_h != 1 || window->dilation_w != 1 ||
            most_h >= window->kernel_h || most_w >= window->kernel_w) {
          continue;
        }
      } else {
        pool->count_include_pad = true;
      }
    }
    window->pad_top += pad->before[2];
    window->pad_bottom += pad->after[2];
    window->pad_left += pad->before[3];
    window->pad_right += pad->after[3];
    node.inputs[0] = pad_node->inputs[0];
  }
  RemoveDeadNodes(graph);
}

}  // namespace aq::converter
