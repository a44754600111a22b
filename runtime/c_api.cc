// SPDX-License-Identifier: Apache-2.0
// The C API (aq.h): argument checks, error buffers, ownership. No logic of its own; the only file with owning raw
// pointers.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "aq/aq.h"
#include "kernels/gemm/gemm.h"
#include "platforms/cpu.h"
#include "runtime/describe.h"
#include "runtime/interpreter.h"
#include "runtime/limits.h"
#include "runtime/model.h"

static_assert(AQ_OK == static_cast<int>(aq::Code::kOk) && AQ_ERR_INTERNAL == static_cast<int>(aq::Code::kInternal));
static_assert(AQ_ERR_NOT_FOUND == static_cast<int>(aq::Code::kNotFound) &&
              AQ_ERR_IO == static_cast<int>(aq::Code::kIo));
static_assert(AQ_ERR_LIMIT == static_cast<int>(aq::Code::kLimit) &&
              AQ_ERR_CANCELLED == static_cast<int>(aq::Code::kCancelled));

// Shared by its handle and its sessions; the last one frees it.
struct aq_model {
  std::unique_ptr<aq::Model> model;
  mutable std::atomic<int> references{1};
};

struct aq_session {
  const aq_model* owner = nullptr;
  std::unique_ptr<aq::Interpreter> interpreter;
  std::atomic<bool> is_running{false};
  std::string plan;
  aq_op_callback observer = nullptr;
  void* observer_user = nullptr;
  // What the observer is told, made once: per op the place of its first output in the two arrays.
  std::vector<size_t> first_output;
  std::vector<const void*> outputs;
  std::vector<aq_tensor_info> output_infos;
};

namespace {

using aq::Code;
using aq::Error;
using aq::Status;

constexpr int kAutomaticThreads = 4;

aq_status Report(const Status& status, char* error, size_t error_size) {
  if (error && error_size > 0) {
    const size_t length = std::min(status.message().size(), error_size - 1);
    std::memcpy(error, status.message().data(), length);
    error[length] = '\0';
  }
  return static_cast<aq_status>(status.code());
}

void Release(const aq_model* model) {
  if (model->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete model;
}

Status IoError(const char* what, int error, const aq::Limits& limits) {
  if (error == ENOMEM) return Error(Code::kOutOfMemory, "%s: no memory for it", what);
  if (error == EFBIG) {
    return Error(Code::kLimit, "%s: larger than max_file_bytes, %llu", what,
                 static_cast<unsigned long long>(limits.max_file_bytes));
  }
  if (error == ENOENT) return Error(Code::kNotFound, "%s: no such file", what);
  char text[128] = "";
  // The XSI and GNU forms of strerror_r differ in their result; this works with both.
  const auto message = strerror_r(error, text, sizeof text);
  if constexpr (std::is_pointer_v<decltype(message)>) return Error(Code::kIo, "%s: %s", what, message);
  return Error(Code::kIo, "%s: %s", what, text);
}

Status Finish(aq::Result<std::unique_ptr<aq::Model>> loaded, aq_model** model) {
  if (!loaded.ok()) return loaded.status();
  aq_model* made = new (std::nothrow) aq_model;
  if (!made) return Error(Code::kOutOfMemory, "no memory for a model");
  made->model = std::move(loaded).value();
  *model = made;
  return {};
}

// What the three ways to load share: options, then `load` with the limits.
template <class LoadWith>
aq_status LoadModel(const aq_load_options* options, aq_model** model, LoadWith load) {
  if (model) *model = nullptr;
  if (options && options->struct_size < sizeof(aq_load_options)) return AQ_ERR_INVALID_ARGUMENT;
  char* const error = options ? options->error : nullptr;
  const size_t error_size = options ? options->error_size : 0;
  if (error && error_size > 0) error[0] = '\0';
  if (!model) return Report(Error(Code::kInvalidArgument, "model is NULL"), error, error_size);
  const uint32_t flags = options ? options->flags : 0;
  if (flags & ~AQ_LOAD_MMAP) {
    return Report(Error(Code::kInvalidArgument, "flags = %x, only AQ_LOAD_MMAP is known", flags), error, error_size);
  }
  aq::Limits limits;
  if (const Status status = aq::ReadLimits(options ? options->limits : nullptr, &limits); !status.ok()) {
    return Report(status, error, error_size);
  }
  return Report(load(limits, (flags & AQ_LOAD_MMAP) != 0), error, error_size);
}

void FillInfo(const aq::Tensor& tensor, aq_tensor_info* info) {
  info->name = tensor.name;
  info->type = tensor.is_wide() ? AQ_TYPE_I32 : AQ_TYPE_U8;
  info->bits = tensor.bits();
  info->rank = tensor.shape.rank;
  std::copy(tensor.shape.dims.begin(), tensor.shape.dims.end(), info->dims);
  info->scale = tensor.scale;
  info->zero_point = tensor.zero_point;
  info->bytes = tensor.bytes;
}

aq_status TensorInfo(const aq_model* model, std::span<const int32_t> list, size_t index, aq_tensor_info* info) {
  if (!info || info->struct_size < sizeof(aq_tensor_info) || index >= list.size()) return AQ_ERR_INVALID_ARGUMENT;
  FillInfo(model->model->tensors[static_cast<size_t>(list[index])], info);
  return AQ_OK;
}

// What this machine can run of what this build has kernels for.
aq::IsaSet AvailableIsas() { return aq::IsaSet(aq::DetectIsas().bits() & aq::KernelIsas().bits()); }

Status ChooseIsas(const char* name, aq::IsaSet* isas) {
  std::string error;
  aq::Isa isa;
  if (name && !aq::ParseIsa(name, &isa)) return Error(Code::kInvalidArgument, "isa \"%.64s\" is unknown", name);
  const bool is_found =
      name ? aq::LimitIsas(name, AvailableIsas(), isas, &error) : aq::UsableIsas(AvailableIsas(), isas, &error);
  return is_found ? Status() : Status(Code::kUnsupported, error);
}

// The environment variable AQ_KERNEL, for tests and measurements.
Status ChooseTechnique(std::optional<aq::Technique>* technique) {
  const char* name = std::getenv("AQ_KERNEL");
  if (name == nullptr || *name == '\0') return {};
  aq::Technique forced;
  if (!aq::ParseTechnique(name, &forced)) {
    return Error(Code::kInvalidArgument, "AQ_KERNEL \"%.64s\" is unknown, expected direct, lut or winograd", name);
  }
  *technique = forced;
  return {};
}

Status ChooseThreads(int32_t wanted, const aq::Limits& limits, int* threads) {
  if (wanted < -1) return Error(Code::kInvalidArgument, "num_threads is %d, expected -1 or more", wanted);
  if (wanted > 0 && static_cast<uint32_t>(wanted) > limits.max_threads) {
    return Error(Code::kLimit, "num_threads is %d, max_threads is %u", wanted, limits.max_threads);
  }
  *threads = std::max(wanted, 1);
  if (wanted == -1) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    *threads = std::min({std::max(cores, 1), kAutomaticThreads, static_cast<int>(limits.max_threads)});
  }
  return {};
}

void MakeEvents(aq_session* session) {
  const aq::Model& model = *session->owner->model;
  for (const aq::ModelOp& op : model.ops) {
    session->first_output.push_back(session->outputs.size());
    for (const int32_t index : op.outputs) {
      aq_tensor_info info = {};
      info.struct_size = sizeof info;
      FillInfo(model.tensors[static_cast<size_t>(index)], &info);
      session->output_infos.push_back(info);
      session->outputs.push_back(session->interpreter->tensor(index));
    }
  }
}

Status CreateSession(const aq_model* model, const aq_session_options& options, aq_session** session) {
  aq::InterpreterOptions interpreter_options;
  interpreter_options.external_for = options.parallel_for;
  interpreter_options.external_user = options.parallel_user;
  AQ_RETURN_IF_ERROR(ChooseIsas(options.isa, &interpreter_options.target.isas));
  AQ_RETURN_IF_ERROR(ChooseTechnique(&interpreter_options.target.technique));
  AQ_RETURN_IF_ERROR(ChooseThreads(options.num_threads, model->model->limits, &interpreter_options.num_threads));
  std::unique_ptr<aq_session> made(new (std::nothrow) aq_session);
  if (!made) return Error(Code::kOutOfMemory, "no memory for a session");
  AQ_ASSIGN_OR_RETURN(made->interpreter, aq::Interpreter::Create(*model->model, interpreter_options));
  made->owner = model;
  made->plan = made->interpreter->plan().ToString(*model->model);
  MakeEvents(made.get());
  model->references.fetch_add(1, std::memory_order_relaxed);
  *session = made.release();
  return {};
}

void Observe(void* user, size_t index, uint64_t nanoseconds) {
  const aq_session& session = *static_cast<const aq_session*>(user);
  const aq::ModelOp& op = session.owner->model->ops[index];
  const size_t first = session.first_output[index];
  aq_op_event event = {};
  event.struct_size = sizeof event;
  event.index = static_cast<uint32_t>(index);
  event.name = op.name;
  event.type = op.kind->type;
  event.kernel = session.interpreter->op(index).kernel;
  event.nanoseconds = nanoseconds;
  event.macs = session.interpreter->op(index).macs;
  event.num_outputs = static_cast<uint32_t>(op.outputs.size());
  event.outputs = session.outputs.data() + first;
  event.output_infos = session.output_infos.data() + first;
  session.observer(session.observer_user, &event);
}

// Texts that never change while the process lives.
const std::string& BuildInfo() {
  static const std::string info = [] {
    std::string text = "compiler " __VERSION__ ", isa ";
    text += aq::IsaNames(aq::KernelIsas());
    text += ", commit " AQ_COMMIT;
    return text;
  }();
  return info;
}

}  // namespace

extern "C" {

const char* aq_status_string(aq_status status) {
  switch (status) {
    case AQ_OK:
      return "ok";
    case AQ_ERR_INVALID_ARGUMENT:
      return "invalid argument";
    case AQ_ERR_OUT_OF_MEMORY:
      return "out of memory";
    case AQ_ERR_INVALID_STATE:
      return "invalid state";
    case AQ_ERR_UNSUPPORTED:
      return "unsupported";
    case AQ_ERR_NOT_FOUND:
      return "not found";
    case AQ_ERR_IO:
      return "input/output error";
    case AQ_ERR_CORRUPT:
      return "corrupt file";
    case AQ_ERR_VERSION:
      return "file is newer than this runtime";
    case AQ_ERR_LIMIT:
      return "limit exceeded";
    case AQ_ERR_CANCELLED:
      return "cancelled";
    case AQ_ERR_INTERNAL:
      return "internal error";
    case AQ_STATUS_FORCE_32:
      break;
  }
  return "unknown status";
}

const char* aq_version(void) { return AQ_VERSION; }
const char* aq_build_info(void) { return BuildInfo().c_str(); }
uint32_t aq_abi_version(void) { return 1; }
uint32_t aq_format_version(void) { return aq::kFormatRevision; }

aq_status aq_model_load_file(const char* path, const aq_load_options* options, aq_model** model) {
  return LoadModel(options, model, [&](const aq::Limits& limits, bool is_mapped) -> Status {
    if (!path) return Error(Code::kInvalidArgument, "path is NULL");
    aq::FileBytes bytes;
    const int error = is_mapped ? aq::FileBytes::Map(path, limits.max_file_bytes, &bytes)
                                : aq::FileBytes::Read(path, limits.max_file_bytes, &bytes);
    if (error != 0) return IoError(path, error, limits);
    return Finish(aq::Model::Load(std::move(bytes), limits), model);
  });
}

aq_status aq_model_load_buffer(const void* bytes, size_t size, const aq_load_options* options, aq_model** model) {
  return LoadModel(options, model, [&](const aq::Limits& limits, bool is_mapped) -> Status {
    if (!bytes && size != 0) return Error(Code::kInvalidArgument, "bytes is NULL, size %zu", size);
    if (is_mapped) return Error(Code::kInvalidArgument, "AQ_LOAD_MMAP needs a file");
    return Finish(aq::Model::LoadCopy({static_cast<const uint8_t*>(bytes), size}, limits), model);
  });
}

aq_status aq_model_load_fd(int fd, uint64_t offset, uint64_t length, const aq_load_options* options, aq_model** model) {
  return LoadModel(options, model, [&](const aq::Limits& limits, bool is_mapped) -> Status {
    if (is_mapped) return Error(Code::kInvalidArgument, "AQ_LOAD_MMAP needs a path");
    aq::FileBytes bytes;
    const int error = aq::FileBytes::ReadDescriptor(fd, offset, length, limits.max_file_bytes, &bytes);
    if (error != 0) return IoError("file descriptor", error, limits);
    return Finish(aq::Model::Load(std::move(bytes), limits), model);
  });
}

void aq_model_destroy(aq_model* model) {
  if (model) Release(model);
}

size_t aq_model_num_inputs(const aq_model* model) { return model ? model->model->inputs.size() : 0; }
size_t aq_model_num_outputs(const aq_model* model) { return model ? model->model->outputs.size() : 0; }

aq_status aq_model_input_info(const aq_model* model, size_t index, aq_tensor_info* info) {
  return model ? TensorInfo(model, model->model->inputs, index, info) : AQ_ERR_INVALID_ARGUMENT;
}

aq_status aq_model_output_info(const aq_model* model, size_t index, aq_tensor_info* info) {
  return model ? TensorInfo(model, model->model->outputs, index, info) : AQ_ERR_INVALID_ARGUMENT;
}

size_t aq_model_num_metadata(const aq_model* model) {
  return model && model->model->root->metadata() ? model->model->root->metadata()->size() : 0;
}

aq_status aq_model_metadata_at(const aq_model* model, size_t index, const char** key, const char** value) {
  if (!model || !key || !value || index >= aq_model_num_metadata(model)) return AQ_ERR_INVALID_ARGUMENT;
  const aq::schema::KeyValue& pair = *model->model->root->metadata()->Get(static_cast<uint32_t>(index));
  *key = pair.key()->c_str();
  *value = pair.value()->c_str();
  return AQ_OK;
}

aq_status aq_model_metadata(const aq_model* model, const char* key, const char** value) {
  if (!model || !key || !value) return AQ_ERR_INVALID_ARGUMENT;
  *value = nullptr;
  for (size_t i = 0; i < aq_model_num_metadata(model); ++i) {
    const aq::schema::KeyValue& pair = *model->model->root->metadata()->Get(static_cast<uint32_t>(i));
    if (std::string_view(pair.key()->c_str(), pair.key()->size()) != key) continue;
    *value = pair.value()->c_str();
    return AQ_OK;
  }
  return AQ_ERR_NOT_FOUND;
}

aq_status aq_model_describe(const aq_model* model, const char* format, char** text) {
  if (!model || !format || !text) return AQ_ERR_INVALID_ARGUMENT;
  *text = nullptr;
  const bool is_json = std::strcmp(format, "json") == 0;
  if (!is_json && std::strcmp(format, "text") != 0) return AQ_ERR_INVALID_ARGUMENT;
  const std::string description = is_json ? aq::DescribeJson(*model->model) : aq::DescribeText(*model->model);
  *text = static_cast<char*>(std::malloc(description.size() + 1));
  if (!*text) return AQ_ERR_OUT_OF_MEMORY;
  std::memcpy(*text, description.c_str(), description.size() + 1);
  return AQ_OK;
}

void aq_free(void* memory) { std::free(memory); }

aq_status aq_session_create(const aq_model* model, const aq_session_options* options, aq_session** session) {
  if (session) *session = nullptr;
  if (options && options->struct_size < sizeof(aq_session_options)) return AQ_ERR_INVALID_ARGUMENT;
  aq_session_options defaults = {};
  defaults.struct_size = sizeof defaults;
  defaults.num_threads = 1;
  const aq_session_options& used = options ? *options : defaults;
  if (used.error && used.error_size > 0) used.error[0] = '\0';
  if (!model || !session) {
    return Report(Error(Code::kInvalidArgument, "%s is NULL", model ? "session" : "model"), used.error,
                  used.error_size);
  }
  return Report(CreateSession(model, used, session), used.error, used.error_size);
}

void aq_session_destroy(aq_session* session) {
  if (!session) return;
  const aq_model* owner = session->owner;
  delete session;
  Release(owner);
}

void* aq_session_input(aq_session* session, size_t index) {
  if (!session || index >= session->owner->model->inputs.size()) return nullptr;
  return session->interpreter->tensor(session->owner->model->inputs[index]);
}

const void* aq_session_output(const aq_session* session, size_t index) {
  if (!session || index >= session->owner->model->outputs.size()) return nullptr;
  return session->interpreter->tensor(session->owner->model->outputs[index]);
}

aq_status aq_session_run(aq_session* session) {
  if (!session) return AQ_ERR_INVALID_ARGUMENT;
  if (session->is_running.exchange(true, std::memory_order_acquire)) return AQ_ERR_INVALID_STATE;
  session->interpreter->Run();
  session->is_running.store(false, std::memory_order_release);
  return AQ_OK;
}

size_t aq_session_memory(const aq_session* session) { return session ? session->interpreter->memory_bytes() : 0; }
const char* aq_session_plan(const aq_session* session) { return session ? session->plan.c_str() : ""; }

aq_status aq_session_set_observer(aq_session* session, aq_op_callback callback, void* user) {
  if (!session) return AQ_ERR_INVALID_ARGUMENT;
  if (session->is_running.exchange(true, std::memory_order_acquire)) return AQ_ERR_INVALID_STATE;
  session->observer = callback;
  session->observer_user = user;
  session->interpreter->set_observer(callback ? Observe : nullptr, session);
  session->is_running.store(false, std::memory_order_release);
  return AQ_OK;
}

const char* aq_cpu_name(void) {
  static const std::string name = aq::CpuName();
  return name.c_str();
}

const char* aq_isa_detected(void) {
  static const std::string names = aq::IsaNames(aq::DetectIsas());
  return names.c_str();
}

const char* aq_isa_usable(void) {
  static const std::string names = [] {
    aq::IsaSet isas;
    return ChooseIsas(nullptr, &isas).ok() ? aq::IsaNames(isas) : std::string();
  }();
  return names.c_str();
}

}  // extern "C"
