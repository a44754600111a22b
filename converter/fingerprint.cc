// SPDX-License-Identifier: Apache-2.0
#include "converter/fingerprint.h"

#include <variant>

namespace aq::converter {

void Fingerprint::Add(const Bits& bits) {
  Add(bits.weights);
  Add(bits.activations);
}

void Fingerprint::Add(const Window& w) {
  for (const int64_t number : {w.kernel_h, w.kernel_w, w.stride_h, w.stride_w, w.dilation_h, w.dilation_w, w.pad_top,
                               w.pad_left, w.pad_bottom, w.pad_right})
    Add(number);
}

void Fingerprint::Add(const Node& node) {
  Add(node.name);
  Add(node.inputs);
  Add(node.output);
  Add(node.clip_low);
  Add(node.clip_high);
  Add(node.channel_clip_high);
  Add(node.attributes.index());
  if (const Conv* conv = std::get_if<Conv>(&node.attributes)) {
    Add(conv->window);
    Add(conv->groups);
    Add(conv->weights);
    Add(conv->bias);
  } else if (const Dense* dense = std::get_if<Dense>(&node.attributes)) {
    Add(dense->weights);
    Add(dense->bias);
  } else if (const Pool* pool = std::get_if<Pool>(&node.attributes)) {
    Add(pool->kind);
    Add(pool->window);
    Add(pool->count_include_pad);
  } else if (const Elementwise* elementwise = std::get_if<Elementwise>(&node.attributes)) {
    Add(elementwise->function);
    Add(elementwise->alpha);
    Add(elementwise->beta);
  } else if (const Concat* concat = std::get_if<Concat>(&node.attributes)) {
    Add(concat->axis);
  } else if (const Transpose* transpose = std::get_if<Transpose>(&node.attributes)) {
    Add(transpose->permutation);
  } else if (const Slice* slice = std::get_if<Slice>(&node.attributes)) {
    Add(slice->begin);
    Add(slice->stride);
  } else if (const Pad* pad = std::get_if<Pad>(&node.attributes)) {
    Add(pad->before);
    Add(pad->after);
  }
}

void Fingerprint::Add(const Graph& graph) {
  Add(graph.values.size());
  for (const Value& value : graph.values) Add(value.shape);
  Add(graph.nodes);
  Add(graph.input);
  Add(graph.outputs);
}

void Fingerprint::Add(const ActivationPlan& plan) {
  Add(plan.bits);
  Add(plan.widths);
  Add(plan.group);
  Add(plan.is_observed);
  Add(plan.alias);
}

void Fingerprint::Add(const Histogram& histogram) {
  Add(histogram.range.low);
  Add(histogram.range.high);
  Add(histogram.zeros);
  Add(histogram.bins);
}

void Fingerprint::Add(const ConvertOptions& options) {
  Add(options.ranges);
  Add(options.asymmetric_weights);
  Add(options.rounding);
  Add(options.border);
  Add(options.unit_kind);
  Add(options.iterations);
  Add(options.learn_biases);
  Add(options.seed);
  Add(options.preprocess.mean);
  Add(options.preprocess.stddev);
}

}  // namespace aq::converter
