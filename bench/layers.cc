// SPDX-License-Identifier: Apache-2.0
// Implements layers.h, all but the report.
#include "bench/layers.h"

#include <regex.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "bench/cpu_clock.h"
#include "bench/measure.h"
#include "bench/peak.h"
#include "bench/statistics.h"
#include "tools/aqm_model.h"

namespace aq::bench {
namespace {

// A session of a one-layer model. Op 0 makes the layer's input (synthetic.h), op 1 is the layer.
class LayerSession {
 public:
  static Result<std::unique_ptr<LayerSession>> Create(const std::vector<uint8_t>& file, const std::string& isa) {
    auto layer = std::make_unique<LayerSession>();
    aq_model* model = nullptr;
    char error[256] = "";
    aq_load_options options{};
    options.struct_size = sizeof options;
    options.error = error;
    options.error_size = sizeof error;
    const aq_status status = aq_model_load_buffer(file.data(), file.size(), &options, &model);
    if (status != AQ_OK) return Error(tools::CodeOf(status), "synthetic layer: %s", error);
    layer->model_.reset(model);
    AQ_ASSIGN_OR_RETURN(layer->session_, tools::CreateSession(model, 1, isa));
    AQ_RETURN_IF_ERROR(FillInputs(model, layer->session_.get()));
    if (aq_session_set_observer(layer->session_.get(), OnOp, layer.get()) != AQ_OK) {
      return Error(Code::kInternal, "no op observer");
    }
    return layer;
  }

  // Nanoseconds of the layer alone.
  uint64_t Run() {
    aq_session_run(session_.get());
    return end_ - begin_;
  }
  const std::string& kernel() const { return kernel_; }

 private:
  static void OnOp(void* user, const aq_op_event* event) {
    auto* layer = static_cast<LayerSession*>(user);
    layer->begin_ = layer->end_;
    if (layer->kernel_.empty() && event->index == 1) layer->kernel_ = event->kernel;
    layer->end_ = ThreadNanoseconds();
  }

  tools::ModelPtr model_;
  tools::SessionPtr session_;
  uint64_t begin_ = 0, end_ = 0;  // after op 0, after op 1
  std::string kernel_;
};

// What takes part in a round: one call, in nanoseconds.
struct Contestant {
  std::function<uint64_t()> run;
  std::vector<uint64_t> samples;
};

uint64_t TimeOf(const std::function<void()>& run) {
  const uint64_t begin = ThreadNanoseconds();
  run();
  return ThreadNanoseconds() - begin;
}

void RunRounds(const LayersOptions& options, std::vector<Contestant>* contestants) {
  for (int i = 0; i < options.warmup_runs; ++i) {
    for (Contestant& contestant : *contestants) contestant.run();
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  for (int runs = 0; NeedsMoreRuns(runs, seconds(), options.num_runs, options.min_secs, options.max_secs); ++runs) {
    for (Contestant& contestant : *contestants) {
      contestant.samples.push_back(std::max<uint64_t>(1, contestant.run()));
    }
  }
}

double MedianMs(const Contestant& contestant) { return Summarize(contestant.samples).median; }

struct Setup {
  const LayersOptions& options;
  Network network;
  Bits bits;
  Isa isa;
  std::vector<std::unique_ptr<Peer>> peers;
};

Result<std::unique_ptr<LayerSession>> MakeSession(const Setup& setup, const DistinctLayer& layer, Border border) {
  return LayerSession::Create(SyntheticLayer(setup.network, layer.op, {setup.bits, border}), IsaName(setup.isa));
}

Result<LayerTime> MeasureLayer(const Setup& setup, const DistinctLayer& layer) {
  const NetworkOp& op = setup.network.ops[layer.op];
  const LayerBits bits = BitsOfLayer(setup.network, layer.op, setup.bits);
  AQ_ASSIGN_OR_RETURN(const std::unique_ptr<LayerSession> session, MakeSession(setup, layer, setup.options.border));
  const PeakKernel bound = BoundOf(setup.isa, bits.weights, bits.input);

  std::vector<Contestant> contestants;
  contestants.push_back({[&] { return session->Run(); }, {}});
  contestants.push_back({[&] { return TimeOf([&] { bound.run(kPeakSteps); }); }, {}});
  std::vector<std::unique_ptr<PeerLayer>> peer_layers;
  for (const std::unique_ptr<Peer>& peer : setup.peers) {
    AQ_ASSIGN_OR_RETURN(auto peer_layer, peer->Prepare(op.geometry, op.kind == NetworkOpKind::kDense));
    PeerLayer* running = peer_layer.get();
    peer_layers.push_back(std::move(peer_layer));
    contestants.push_back({[running] { return TimeOf([running] { running->Run(); }); }, {}});
  }
  std::unique_ptr<LayerSession> nearest;
  if (setup.options.border != Border::kNearest) {
    AQ_ASSIGN_OR_RETURN(nearest, MakeSession(setup, layer, Border::kNearest));
    contestants.push_back({[&] { return nearest->Run(); }, {}});
  }
  RunRounds(setup.options, &contestants);

  LayerTime time{.name = layer.name,
                 .kernel = session->kernel(),
                 .count = layer.count,
                 .macs = MacsOf(op.geometry),
                 .bits = bits,
                 .aq_ms = MedianMs(contestants[0]),
                 .rival_ms = {},
                 .bound = bound.name,
                 .peak = bound.macs * static_cast<double>(kPeakSteps) / MedianMs(contestants[1]) * 1e-6};
  for (size_t i = 2; i < contestants.size(); ++i) time.rival_ms.push_back(MedianMs(contestants[i]));
  return time;
}

// The named ISA, or the newest of those a session would use.
Result<Isa> ChooseIsa(const std::string& name) {
  std::string chosen = name.empty() ? aq_isa_usable() : name;
  chosen = chosen.substr(chosen.rfind(',') + 1);
  Isa isa;
  if (ParseIsa(chosen.c_str(), &isa)) return isa;
  return Error(Code::kInvalidArgument, "no instruction set %s; this machine and build have %s", chosen.c_str(),
               aq_isa_usable());
}

// Only the layers whose names match.
Status Keep(const std::string& filter, std::vector<DistinctLayer>* layers) {
  regex_t regex;
  const int error = regcomp(&regex, filter.empty() ? "." : filter.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) return Error(Code::kInvalidArgument, "\"%s\" is no regular expression", filter.c_str());
  std::erase_if(*layers,
                [&](const DistinctLayer& layer) { return regexec(&regex, layer.name.c_str(), 0, nullptr, 0) != 0; });
  regfree(&regex);
  if (layers->empty()) return Error(Code::kInvalidArgument, "no layer matches %s", filter.c_str());
  return {};
}

}  // namespace

Result<LayerTable> MeasureLayers(const LayersOptions& options) {
  Setup setup{options, {}, {}, {}, {}};
  AQ_ASSIGN_OR_RETURN(setup.network, FindNetwork(options.network));
  AQ_ASSIGN_OR_RETURN(setup.bits, ParseBits(options.bits));
  AQ_ASSIGN_OR_RETURN(setup.isa, ChooseIsa(options.isa));
  LayerTable table{options.network, IsaName(setup.isa), options.bits, options.border, {}, {}};
  for (const std::string& name : options.against) {
    AQ_ASSIGN_OR_RETURN(auto peer, LoadPeer(name, setup.isa));
    table.rivals.push_back({name, peer->description()});
    setup.peers.push_back(std::move(peer));
  }
  if (options.border != Border::kNearest) table.rivals.push_back({"nearest", "aq with nearest borders"});
  std::vector<DistinctLayer> layers = DistinctLayers(setup.network);
  AQ_RETURN_IF_ERROR(Keep(options.filter, &layers));
  for (const DistinctLayer& layer : layers) {
    AQ_ASSIGN_OR_RETURN(LayerTime time, MeasureLayer(setup, layer));
    table.layers.push_back(std::move(time));
  }
  return table;
}

}  // namespace aq::bench
