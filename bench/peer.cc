// SPDX-License-Identifier: Apache-2.0
// Implements peer.h.
#include "bench/peer.h"

#include <cstdlib>

#include "bench/module.h"

namespace aq::bench {

std::vector<std::string> PeerNames() { return {"xnnpack", "onednn"}; }

Result<std::unique_ptr<Peer>> LoadPeer(const std::string& name, Isa isa) {
  // OpenMP reads it when its library is loaded; the caller's own setting would make the comparison unfair.
  setenv("OMP_NUM_THREADS", "1", 1);
  AQ_ASSIGN_OR_RETURN(void* const function, LoadFunction(name, kMakePeer));
  std::unique_ptr<Peer> peer;
  AQ_RETURN_IF_ERROR(reinterpret_cast<MakePeer*>(function)(isa, &peer));
  return peer;
}

}  // namespace aq::bench
