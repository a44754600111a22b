// SPDX-License-Identifier: Apache-2.0
// An .aqm through the C API (aq.h and nothing else of the runtime), as values that free themselves, with errors as
// Status. Used by the commands run, eval, inspect and by aq_bench.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/include/aq/aq.h"
#include "runtime/status.h"

namespace aq::tools {

struct ModelDeleter {
  void operator()(aq_model* model) const { aq_model_destroy(model); }
};
struct SessionDeleter {
  void operator()(aq_session* session) const { aq_session_destroy(session); }
};
struct FreeDeleter {
  void operator()(char* text) const { aq_free(text); }
};
using ModelPtr = std::unique_ptr<aq_model, ModelDeleter>;
using SessionPtr = std::unique_ptr<aq_session, SessionDeleter>;
using TextPtr = std::unique_ptr<char, FreeDeleter>;

Code CodeOf(aq_status status);  // aq_status and Code share their numbers

Result<ModelPtr> LoadModel(const std::string& path);
// `isa` may be empty: the best there is.
Result<SessionPtr> CreateSession(const aq_model* model, int num_threads, const std::string& isa);
Result<aq_tensor_info> InputInfo(const aq_model* model, size_t index);
Result<aq_tensor_info> OutputInfo(const aq_model* model, size_t index);
bool Metadata(const aq_model* model, const char* key, std::string* value);

// One output's codes (uint8) or integers as int32, for ranking.
std::vector<int32_t> OutputValues(const aq_tensor_info& info, const void* data);

}  // namespace aq::tools
