/* SPDX-License-Identifier: Apache-2.0
 * The C API of the aq runtime: load an .aqm file, make a session, run it. C99, no allocation and no failure modes
 * other than those documented while running. Models are immutable and may be shared between threads; a session
 * belongs to one thread at a time. The library never prints, aborts, exits or throws.
 */
#ifndef AQ_AQ_H_
#define AQ_AQ_H_

#include <stddef.h>
#include <stdint.h>

#if defined(AQ_BUILD_SHARED)
#define AQ_API __attribute__((visibility("default")))
#else
#define AQ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aq_model aq_model;
typedef struct aq_session aq_session;

typedef enum aq_status {
  AQ_OK = 0,
  AQ_ERR_INVALID_ARGUMENT = 1,
  AQ_ERR_OUT_OF_MEMORY = 2,
  AQ_ERR_INVALID_STATE = 3,
  AQ_ERR_UNSUPPORTED = 4,
  AQ_ERR_NOT_FOUND = 5,
  AQ_ERR_IO = 100,
  AQ_ERR_CORRUPT = 101,
  AQ_ERR_VERSION = 102,
  AQ_ERR_LIMIT = 103,
  AQ_ERR_CANCELLED = 200,
  AQ_ERR_INTERNAL = 900,
  AQ_STATUS_FORCE_32 = 0x7fffffff
} aq_status;

AQ_API const char* aq_status_string(aq_status status);
AQ_API const char* aq_version(void);    /* "0.1.0" */
AQ_API const char* aq_build_info(void); /* compiler, instruction sets in this build, commit */
AQ_API uint32_t aq_abi_version(void);
AQ_API uint32_t aq_format_version(void); /* newest model.fbs format_revision this runtime reads */

/* What a file may ask for; everything is checked while loading. Zero means the default (in parentheses). */
typedef struct aq_limits {
  uint32_t struct_size;
  uint32_t max_tensors;        /* (4096) */
  uint64_t max_file_bytes;     /* (256 MiB) */
  uint64_t max_metadata_bytes; /* (16 MiB) */
  uint32_t max_ops;            /* (4096) */
  uint32_t max_dim;            /* (65536) */
  uint64_t max_tensor_bytes;   /* (64 MiB) */
  uint64_t max_arena_bytes;    /* (256 MiB) */
  uint64_t max_scratch_bytes;  /* (16 MiB per thread) */
  uint64_t max_weight_bytes;   /* (256 MiB) */
  uint32_t max_kernel_dim;     /* (255) */
  uint32_t max_stride;         /* (255) also dilation */
  uint64_t max_macs;           /* (2e10) */
  uint32_t max_string;         /* (256) names */
  uint32_t max_threads;        /* (64) */
} aq_limits;

#define AQ_LOAD_MMAP 1u /* map the file: it must not be truncated while the model lives */

typedef struct aq_load_options {
  uint32_t struct_size;
  uint32_t flags;
  const aq_limits* limits; /* NULL: defaults */
  char* error;             /* receives a message, NUL-terminated; may be NULL */
  size_t error_size;
} aq_load_options;

AQ_API aq_status aq_model_load_file(const char* path, const aq_load_options* options, aq_model** model);
/* The bytes are copied: the caller may free them at once. */
AQ_API aq_status aq_model_load_buffer(const void* bytes, size_t size, const aq_load_options* options, aq_model** model);
AQ_API aq_status aq_model_load_fd(int fd, uint64_t offset, uint64_t length, const aq_load_options* options,
                                  aq_model** model);
AQ_API void aq_model_destroy(aq_model* model); /* NULL is fine; sessions keep what they need alive */

typedef enum aq_type { AQ_TYPE_U8 = 1, AQ_TYPE_I32 = 2, AQ_TYPE_FORCE_32 = 0x7fffffff } aq_type;

#define AQ_MAX_RANK 6
typedef struct aq_tensor_info { /* real = scale * (value - zero_point); dense, channels last */
  uint32_t struct_size;
  const char* name; /* owned by the model */
  aq_type type;
  int32_t bits; /* 2, 4, 8 (one code per byte) or 32 */
  int32_t rank;
  int32_t dims[AQ_MAX_RANK];
  float scale;
  int32_t zero_point;
  size_t bytes;
} aq_tensor_info;

AQ_API size_t aq_model_num_inputs(const aq_model* model);
AQ_API size_t aq_model_num_outputs(const aq_model* model);
AQ_API aq_status aq_model_input_info(const aq_model* model, size_t index, aq_tensor_info* info);
AQ_API aq_status aq_model_output_info(const aq_model* model, size_t index, aq_tensor_info* info);
/* Key/value metadata; *value is owned by the model. AQ_ERR_NOT_FOUND if the key is absent. */
AQ_API aq_status aq_model_metadata(const aq_model* model, const char* key, const char** value);
AQ_API size_t aq_model_num_metadata(const aq_model* model);
AQ_API aq_status aq_model_metadata_at(const aq_model* model, size_t index, const char** key, const char** value);
/* A text description of tensors, ops and metadata: "text" or "json". Free with aq_free. */
AQ_API aq_status aq_model_describe(const aq_model* model, const char* format, char** text);
AQ_API void aq_free(void* memory);

/* Must run task(context, i) for every i < count and return when all are done. */
typedef void (*aq_parallel_for)(void* user, size_t count, void (*task)(void* context, size_t index), void* context);

typedef struct aq_session_options {
  uint32_t struct_size;
  int32_t num_threads;          /* 1: no pool at all; 0: one; -1: as many as cores, at most 4 */
  aq_parallel_for parallel_for; /* the caller's scheduler instead of a pool of our own */
  void* parallel_user;
  const char* isa; /* NULL: best this machine has (AQ_ISA overrides); "scalar", "avx2", ... */
  char* error;
  size_t error_size;
} aq_session_options;

AQ_API aq_status aq_session_create(const aq_model* model, const aq_session_options* options, aq_session** session);
AQ_API void aq_session_destroy(aq_session* session);
/* Input codes, to be filled before each run; output codes (uint8 or int32), valid until the next run. */
AQ_API void* aq_session_input(aq_session* session, size_t index);
AQ_API const void* aq_session_output(const aq_session* session, size_t index);
/* Allocates nothing, takes no lock, cannot fail for a session that exists (AQ_ERR_INVALID_STATE: already running). */
AQ_API aq_status aq_session_run(aq_session* session);
AQ_API size_t aq_session_memory(const aq_session* session);    /* bytes of arena, packed weights and scratch */
AQ_API const char* aq_session_plan(const aq_session* session); /* text: ops, kernels, offsets; owned by the session */

typedef struct aq_op_event {
  uint32_t struct_size;
  uint32_t index; /* of the op */
  const char* name;
  const char* type;     /* "Conv2D", ... */
  const char* kernel;   /* "avxvnni_w4a8_5x16", ... */
  uint64_t nanoseconds; /* wall time of this op */
  uint64_t macs;
  uint32_t num_outputs;
  const void* const* outputs; /* this op's results, valid during the call */
  const aq_tensor_info* output_infos;
} aq_op_event;
typedef void (*aq_op_callback)(void* user, const aq_op_event* event);
/* Called after each op of each run, on the running thread. NULL switches it off. */
AQ_API aq_status aq_session_set_observer(aq_session* session, aq_op_callback callback, void* user);

/* What `aq cpu` prints: detected and usable instruction sets. "avx2,avxvnni"; owned by the library. */
AQ_API const char* aq_cpu_name(void);
AQ_API const char* aq_isa_detected(void);
AQ_API const char* aq_isa_usable(
    void); /* detected, in this build and allowed by AQ_ISA; "" if AQ_ISA is none of them */

#ifdef __cplusplus
}
#endif
#endif /* AQ_AQ_H_ */
