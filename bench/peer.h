// SPDX-License-Identifier: Apache-2.0
// Another library's int8 layers, to run beside ours. Each peer is a module (module.h), peer_<name>.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/gemm/convolve.h"
#include "platforms/cpu.h"
#include "runtime/status.h"

namespace aq::bench {

class PeerLayer {
 public:
  virtual ~PeerLayer() = default;
  virtual void Run() = 0;
  virtual std::string kernel() const = 0;  // as the library calls it; empty if it does not tell
};

class Peer {
 public:
  virtual ~Peer() = default;
  // Which version and which ISA really runs: "oneDNN 2.6.3, int8, avx2_vnni".
  virtual std::string description() const = 0;
  // int8 weights with a scale per output channel, 8-bit activations, channels last; made-up values.
  virtual Result<std::unique_ptr<PeerLayer>> Prepare(const ConvGeometry& geometry, bool is_dense) = 0;
};

std::vector<std::string> PeerNames();
// On one thread, with nothing newer than `isa`; once per name and process. kUnsupported: not in this build.
Result<std::unique_ptr<Peer>> LoadPeer(const std::string& name, Isa isa);

// What such a module exports.
using MakePeer = Status(Isa isa, std::unique_ptr<Peer>* peer);
inline constexpr char kMakePeer[] = "aq_make_peer";

}  // namespace aq::bench
