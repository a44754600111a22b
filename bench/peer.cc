// SPDX-License-Identifier: Apache-2.0
// Implements peer.h: finds and loads the modules.
#include "bench/peer.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

namespace aq::bench {

std::vector<std::string> PeerNames() { return {"xnnpack", "onednn"}; }

Result<std::unique_ptr<Peer>> LoadPeer(const std::string& name, Isa isa) {
  // OpenMP reads it when its library is loaded; the caller's own setting would make the comparison unfair.
  setenv("OMP_NUM_THREADS", "1", 1);
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path path = folder / ("aq_peer_" + name + ".so");
  if (!std::filesystem::exists(path, error)) {
    return Error(Code::kUnsupported, "%s: not in this build (no %s)", name.c_str(), path.c_str());
  }
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  auto* make = module == nullptr ? nullptr : reinterpret_cast<MakePeer*>(dlsym(module, "aq_make_peer"));
  if (make == nullptr) return Error(Code::kUnsupported, "%s: %s", name.c_str(), dlerror());
  std::unique_ptr<Peer> peer;
  AQ_RETURN_IF_ERROR(make(isa, &peer));
  return peer;
}

}  // namespace aq::bench
