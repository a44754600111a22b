// SPDX-License-Identifier: Apache-2.0
// Times each distinct layer of a network: ours through a session of a one-layer model, the same shape by other
// libraries, and the instructions that bound it, one call of each in turn so that they meet the same machine. One
// thread, CPU time, medians.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/networks.h"
#include "bench/peer.h"
#include "bench/synthetic.h"
#include "runtime/status.h"

namespace aq::bench {

struct LayersOptions {
  std::string network;
  std::string bits = "w8a8";
  std::string isa;  // empty: the newest usable
  Border border = Border::kNearest;
  std::vector<std::string> against;         // peers
  std::string filter;                       // regular expression; empty: all layers
  int num_runs = 50;                        // of each layer at least
  double min_secs = 1.0, max_secs = 150.0;  // of each layer
  int warmup_runs = 1;
};

struct LayerTime {
  std::string name, kernel;
  int count = 0;      // how often the network has it
  uint64_t macs = 0;  // of one
  LayerBits bits;
  double aq_ms = 0;
  std::vector<double> rival_ms;  // in the order of LayerTable::rivals
  std::string bound;             // the instructions `peak` was measured with
  double peak = 0;               // GMAC/s, in the same rounds
};

// What aq is compared with: the peers; and with learned borders aq itself with nearest ones.
struct Rival {
  std::string name, description;
};

struct LayerTable {
  std::string network, isa, bits;
  Border border = Border::kNearest;
  std::vector<Rival> rivals;
  std::vector<LayerTime> layers;
};

Result<LayerTable> MeasureLayers(const LayersOptions& options);

// format: md or json.
std::string ReportLayers(const LayerTable& table, const std::string& format);

}  // namespace aq::bench
