// SPDX-License-Identifier: Apache-2.0
// The network with fake quantisers on the training tape, one unit at a time: which quantiser stands at which input,
// with which border, and what is read out of it in the end. Trained by reconstruct.cc.
//
// A value is quantised on its consumers' side, once per stored width; all readers in the unit share the result. Nodes
// that copy codes (activation_plan.h) copy quantised values. Layers with 8-bit weights and the graph's input stay
// float.
//
// Borders exist for 2 and 4 bits, on results of Conv, Dense and Add. free-channel becomes affine-channel at 4 bits; a
// per-channel class becomes per-tensor where several values share one quantisation; affine ones become `none` above a
// finite clip, which the folded multiplier would move.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/checkpoint.h"
#include "converter/convert.h"
#include "converter/learned.h"
#include "converter/ranges.h"
#include "converter/training/adaround.h"
#include "converter/training/border.h"
#include "converter/training/tape.h"
#include "converter/units.h"
#include "runtime/status.h"

namespace aq::converter {

class UnitNetwork {
 public:
  struct Layer {
    QuantizedWeights grid;  // scale, zero points and bits of the search
    training::WeightQuantizer weights;
    training::Parameter bias;
  };
  struct Activation {
    ValueId value = -1;  // the first that asked for it; others of its group share it
    training::ActivationQuantizer quantizer;
    float largest_step = 0;  // so that the last code is not above a finite clip

    void Project();             // after a step of the optimiser: back to what the runtime can do
    float border_rate() const;  // learning rate
  };
  struct Mode {
    training::WeightRounding rounding = training::WeightRounding::kHard;
    float keep = 1;  // QDrop: probability that an element is quantised
    uint64_t iteration = 0;
  };

  // All must outlive the network.
  UnitNetwork(const Graph& graph, const ActivationPlan& plan, const std::vector<Histogram>& groups,
              const ConvertOptions& options, const std::vector<Unit>& units);

  // values [graph.values.size()]: the unit's inputs are given, its outputs are filled in.
  Status Forward(training::Tape* tape, const Unit& unit, const Mode& mode, std::vector<training::Var>* values);

  // What a unit can learn; activations only after its first Forward().
  std::vector<Layer*> Layers(const Unit& unit);
  Layer* FindLayer(int node);  // null if it stays float
  std::vector<Activation*> Activations(const Unit& unit);
  std::vector<Activation*> AllActivations();  // of all units so far
  LearnedQuantization Export() const;

  // Everything that training changes, by name, and back again. Restore() comes before the first Forward(); kCorrupt if
  // the parameters are not those of such a network.
  SavedParameters Save() const;
  Status Restore(const SavedParameters& saved);

 private:
  using Key = std::pair<int, int>;  // group, bits

  // visit(name, parameter) for every parameter that training may change.
  template <class Visit>
  static void VisitLayer(int node, Layer* layer, const Visit& visit);
  template <class Visit>
  static void VisitActivation(const Key& key, Activation* activation, const Visit& visit);

  void MakeLayer(int node);
  Activation& Find(ValueId v, int bits);
  training::BorderClass ClassOf(int group, int bits) const;
  bool HasCodes(ValueId v) const;
  bool CopiesCodes(const Node& node) const;
  int WidthRead(int node, int input) const;

  const Graph& graph_;
  const ActivationPlan& plan_;
  const std::vector<Histogram>& groups_;
  const ConvertOptions& options_;
  std::vector<int> producers_;
  std::vector<std::vector<ValueId>> members_;  // per group: the values whose own distribution decides it
  std::vector<bool> is_cut_copy_;              // per group: a copy of it enters a unit, its channels not as produced
  std::map<int, Layer> layers_;
  std::map<Key, Activation> activations_;
  std::map<std::vector<int>, std::set<Key>> used_;  // by unit: its nodes
};

}  // namespace aq::converter
