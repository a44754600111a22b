// SPDX-License-Identifier: Apache-2.0
// Implements aqm_model.h.
#include "tools/aqm_model.h"

#include <cstring>

namespace aq::tools {
namespace {

constexpr size_t kErrorBytes = 1024;

Status Failure(aq_status status, const std::string& subject, const char* message) {
  return Error(CodeOf(status), "%s: %s", subject.c_str(), message[0] != 0 ? message : aq_status_string(status));
}

}  // namespace

Code CodeOf(aq_status status) { return static_cast<Code>(static_cast<int32_t>(status)); }

Result<ModelPtr> LoadModel(const std::string& path) {
  char error[kErrorBytes] = "";
  aq_load_options options{};
  options.struct_size = sizeof options;
  options.error = error;
  options.error_size = sizeof error;
  aq_model* model = nullptr;
  const aq_status status = aq_model_load_file(path.c_str(), &options, &model);
  if (status != AQ_OK) return Failure(status, path, error);
  return ModelPtr(model);
}

Result<SessionPtr> CreateSession(const aq_model* model, int num_threads, const std::string& isa) {
  char error[kErrorBytes] = "";
  aq_session_options options{};
  options.struct_size = sizeof options;
  options.num_threads = num_threads;
  options.isa = isa.empty() ? nullptr : isa.c_str();
  options.error = error;
  options.error_size = sizeof error;
  aq_session* session = nullptr;
  const aq_status status = aq_session_create(model, &options, &session);
  if (status != AQ_OK) return Failure(status, "session", error);
  return SessionPtr(session);
}

Result<aq_tensor_info> InputInfo(const aq_model* model, size_t index) {
  aq_tensor_info info{};
  info.struct_size = sizeof info;
  const aq_status status = aq_model_input_info(model, index, &info);
  if (status != AQ_OK) return Failure(status, "input", "");
  return info;
}

Result<aq_tensor_info> OutputInfo(const aq_model* model, size_t index) {
  aq_tensor_info info{};
  info.struct_size = sizeof info;
  const aq_status status = aq_model_output_info(model, index, &info);
  if (status != AQ_OK) return Failure(status, "output", "");
  return info;
}

bool Metadata(const aq_model* model, const char* key, std::string* value) {
  const char* text = nullptr;
  if (aq_model_metadata(model, key, &text) != AQ_OK) return false;
  *value = text;
  return true;
}

std::vector<int32_t> OutputValues(const aq_tensor_info& info, const void* data) {
  if (info.type == AQ_TYPE_I32) {
    std::vector<int32_t> values(info.bytes / sizeof(int32_t));
    std::memcpy(values.data(), data, values.size() * sizeof(int32_t));
    return values;
  }
  const auto* codes = static_cast<const uint8_t*>(data);
  return std::vector<int32_t>(codes, codes + info.bytes);
}

}  // namespace aq::tools
