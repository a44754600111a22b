// SPDX-License-Identifier: Apache-2.0
// A thin C++ wrapper of aq.h: ownership, nothing else. Header only, C++17, no exceptions:
// errors are aq_status and a message, as in C.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "aq/aq.h"

namespace aq {

// Owns an aq_model.
class LoadedModel {
 public:
  LoadedModel() = default;
  LoadedModel(LoadedModel&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  LoadedModel& operator=(LoadedModel&& other) noexcept {
    std::swap(model_, other.model_);
    return *this;
  }
  ~LoadedModel() { aq_model_destroy(model_); }

  // On failure *error (may be null) says why.
  aq_status LoadFile(const char* path, std::string* error, uint32_t flags = 0) {
    return Load(error, flags, [&](const aq_load_options& options, aq_model** model) {
      return aq_model_load_file(path, &options, model);
    });
  }
  aq_status LoadBuffer(const void* bytes, size_t size, std::string* error) {
    return Load(error, 0, [&](const aq_load_options& options, aq_model** model) {
      return aq_model_load_buffer(bytes, size, &options, model);
    });
  }

  const aq_model* get() const { return model_; }
  explicit operator bool() const { return model_ != nullptr; }
  size_t num_inputs() const { return aq_model_num_inputs(model_); }
  size_t num_outputs() const { return aq_model_num_outputs(model_); }
  aq_tensor_info input_info(size_t index) const { return Info(aq_model_input_info, index); }
  aq_tensor_info output_info(size_t index) const { return Info(aq_model_output_info, index); }
  // Empty string when the key is absent.
  std::string metadata(const char* key) const {
    const char* value = nullptr;
    return aq_model_metadata(model_, key, &value) == AQ_OK ? value : "";
  }

 private:
  template <class LoadWith>
  aq_status Load(std::string* error, uint32_t flags, LoadWith load_with) {
    char message[1024] = "";
    aq_load_options options = {};
    options.struct_size = sizeof options;
    options.flags = flags;
    options.error = message;
    options.error_size = sizeof message;
    aq_model* model = nullptr;
    const aq_status status = load_with(options, &model);
    if (status != AQ_OK) {
      if (error) *error = message;
      return status;
    }
    aq_model_destroy(std::exchange(model_, model));
    return status;
  }
  aq_tensor_info Info(aq_status (*get)(const aq_model*, size_t, aq_tensor_info*), size_t index) const {
    aq_tensor_info info = {};
    info.struct_size = sizeof info;
    get(model_, index, &info);
    return info;
  }

  aq_model* model_ = nullptr;
};

// Owns an aq_session; keeps its model alive by itself.
class Session {
 public:
  Session() = default;
  Session(Session&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(session_, other.session_);
    return *this;
  }
  ~Session() { aq_session_destroy(session_); }

  aq_status Create(const LoadedModel& model, int num_threads, const char* isa, std::string* error) {
    char message[1024] = "";
    aq_session_options options = {};
    options.struct_size = sizeof options;
    options.num_threads = num_threads;
    options.isa = isa;
    options.error = message;
    options.error_size = sizeof message;
    aq_session* session = nullptr;
    const aq_status status = aq_session_create(model.get(), &options, &session);
    if (status != AQ_OK) {
      if (error) *error = message;
      return status;
    }
    aq_session_destroy(std::exchange(session_, session));
    return status;
  }

  aq_session* get() const { return session_; }
  uint8_t* input(size_t index) { return static_cast<uint8_t*>(aq_session_input(session_, index)); }
  const void* output(size_t index) const { return aq_session_output(session_, index); }
  aq_status Run() { return aq_session_run(session_); }

 private:
  aq_session* session_ = nullptr;
};

}  // namespace aq
