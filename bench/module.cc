// SPDX-License-Identifier: Apache-2.0
// Implements module.h.
#include "bench/module.h"

#include <dlfcn.h>

#include <filesystem>

namespace aq::bench {

Result<void*> LoadFunction(const std::string& name, const char* symbol) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path path = folder / ("aq_bench_" + name + ".so");
  if (!std::filesystem::exists(path, error)) {
    return Error(Code::kUnsupported, "%s: not in this build (no %s)", name.c_str(), path.c_str());
  }
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void* function = module == nullptr ? nullptr : dlsym(module, symbol);
  if (function == nullptr) return Error(Code::kUnsupported, "%s: %s", name.c_str(), dlerror());
  return function;
}

}  // namespace aq::bench
