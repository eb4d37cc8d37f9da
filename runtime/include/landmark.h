/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Landmark JIT for C, and for whatever can call C.
 *
 * Errors. A function that can fail returns a landmark_error, NULL on success. The caller frees it. A call that fails
 * has changed nothing and launched nothing, and leaves its results as they were. Nothing throws, aborts or prints.
 *
 * Handles. Results of `create`, `open`, `prepare` and the like belong to the caller, who frees each with the function
 * of its type; freeing NULL does nothing. A handle keeps alive what it was made from, so any order of freeing is right.
 * Strings that a handle returns live as long as the handle.
 *
 * Threads. A handle may be used from many threads at once, except that nobody may use it while it is being freed.
 *
 * Versions. Structures begin with their size, which their init function sets; a later library takes an earlier size
 * and sets what lies beyond it to its default. Functions are added and never changed within one LANDMARK_C_API.
 */
#ifndef LANDMARK_H
#define LANDMARK_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

#if defined(__GNUC__)
#define LANDMARK_C_EXPORT __attribute__((visibility("default")))
#else
#define LANDMARK_C_EXPORT
#endif

#define LANDMARK_C_API 1

/* The library's version, as "0.1.0", and the LANDMARK_C_API that it was built with. */
LANDMARK_C_EXPORT const char *landmark_version(void);
LANDMARK_C_EXPORT int32_t landmark_c_api(void);

/* ---------------------------------------------------------------------------------------------------- errors */

typedef enum landmark_code {
  LANDMARK_OK = 0,
  LANDMARK_INVALID_ARGUMENT = 1, /* an argument is wrong: the message names it, what it got and what is allowed */
  LANDMARK_UNSUPPORTED = 2,      /* valid, but outside what this build or device can do */
  LANDMARK_COMPILE_FAILED = 3,   /* the compiler's diagnostics are the notes */
  LANDMARK_NOT_FOUND = 4,        /* a file, a tool, a device, or in strict mode a kernel is missing */
  LANDMARK_IO_ERROR = 5,         /* a file cannot be read or written, or is damaged */
  LANDMARK_DEVICE_ERROR = 6,     /* the CUDA driver reported an error, or memory ran out */
  LANDMARK_MISMATCH = 7          /* a verification found a result outside its tolerance */
} landmark_code;

typedef struct landmark_error landmark_error;

LANDMARK_C_EXPORT landmark_code landmark_error_code(const landmark_error *error);   /* LANDMARK_OK for NULL */
LANDMARK_C_EXPORT const char *landmark_error_message(const landmark_error *error); /* "" for NULL */
LANDMARK_C_EXPORT size_t landmark_error_note_count(const landmark_error *error);
LANDMARK_C_EXPORT const char *landmark_error_note(const landmark_error *error, size_t index); /* "" beyond the last */
LANDMARK_C_EXPORT void landmark_error_free(landmark_error *error);

/* ------------------------------------------------------------------------------------------- devices and memory */

typedef struct landmark_device landmark_device;
typedef struct landmark_buffer landmark_buffer;

/* GPUs in this machine; 0 without a driver. */
LANDMARK_C_EXPORT int32_t landmark_device_count(void);
/* "auto" (the first GPU that can be used, else the host), "host", "cuda" or "cuda:N". A GPU is used through the context
 * that is current in the calling thread if it is that GPU's, else through the GPU's primary context. */
LANDMARK_C_EXPORT landmark_error *landmark_device_open(const char *name, landmark_device **device);
LANDMARK_C_EXPORT void landmark_device_free(landmark_device *device);
LANDMARK_C_EXPORT const char *landmark_device_name(const landmark_device *device);   /* "NVIDIA H200" */
LANDMARK_C_EXPORT const char *landmark_device_label(const landmark_device *device);  /* "cuda:0" */
LANDMARK_C_EXPORT const char *landmark_device_target(const landmark_device *device); /* "sm_90a" */
LANDMARK_C_EXPORT int32_t landmark_device_is_host(const landmark_device *device);
/* Waits for all work of the device's context and reports errors of kernels that ran there. */
LANDMARK_C_EXPORT landmark_error *landmark_device_synchronize(const landmark_device *device);

/* Memory of a device. Copies and fills wait for the device's work first and are done on return. */
LANDMARK_C_EXPORT landmark_error *landmark_buffer_create(const landmark_device *device, size_t bytes,
                                                         landmark_buffer **buffer);
LANDMARK_C_EXPORT void landmark_buffer_free(landmark_buffer *buffer);
LANDMARK_C_EXPORT void *landmark_buffer_data(const landmark_buffer *buffer); /* aligned to at least 256 bytes */
LANDMARK_C_EXPORT size_t landmark_buffer_size(const landmark_buffer *buffer);
LANDMARK_C_EXPORT landmark_error *landmark_buffer_upload(landmark_buffer *buffer, const void *from, size_t bytes,
                                                         size_t offset);
LANDMARK_C_EXPORT landmark_error *landmark_buffer_download(const landmark_buffer *buffer, void *to, size_t bytes,
                                                           size_t offset);
LANDMARK_C_EXPORT landmark_error *landmark_buffer_fill(landmark_buffer *buffer, uint8_t value);

/* ------------------------------------------------------------------------------------------------------ tensors */

typedef enum landmark_dtype { LANDMARK_BF16 = 0, LANDMARK_F16 = 1, LANDMARK_F32 = 2 } landmark_dtype;

#define LANDMARK_MAX_RANK 4

/* A borrowed tensor. Strides count elements. */
typedef struct landmark_tensor {
  void *data;
  int32_t dtype; /* a landmark_dtype */
  int32_t rank;
  int64_t shape[LANDMARK_MAX_RANK];
  int64_t strides[LANDMARK_MAX_RANK];
} landmark_tensor;

/* A dense row-major tensor. */
LANDMARK_C_EXPORT landmark_error *landmark_tensor_dense(void *data, landmark_dtype dtype, int32_t rank,
                                                        const int64_t *shape, landmark_tensor *tensor);
/* Of a DLPack tensor: `dl_tensor` points to a DLTensor, which is what a DLManagedTensor (the "dltensor" capsule of
 * Python's __dlpack__) begins with. Memory is the CPU's or CUDA's. The tensor stays the producer's and must outlive
 * every use. */
LANDMARK_C_EXPORT landmark_error *landmark_tensor_from_dlpack(const void *dl_tensor, landmark_tensor *tensor);

/* ------------------------------------------------------------------------------------------------------ runtime */

typedef struct landmark_runtime landmark_runtime;

typedef enum landmark_tune_mode {
  LANDMARK_TUNE_OFF = 0,    /* the shipped schedules */
  LANDMARK_TUNE_CACHED = 1, /* those measured on this device earlier, else the shipped ones */
  LANDMARK_TUNE_ON = 2      /* the same, and what was not measured yet is measured when first needed */
} landmark_tune_mode;

typedef struct landmark_runtime_options {
  size_t size;
  const char *cache_dir; /* NULL: as the environment says (docs/knobs.md); "": no cache on disk */
  int64_t cache_limit;   /* bytes; -1: as the environment says */
  const char *bundle;    /* NULL: as the environment says; "": none */
  int32_t strict;        /* 1: compile nothing; 0: compile what is missing; -1: as the environment says */
  int32_t tune;          /* a landmark_tune_mode; -1: as the environment says */
} landmark_runtime_options;

LANDMARK_C_EXPORT void landmark_runtime_options_init(landmark_runtime_options *options);

/* One device with its kernels. `device` NULL: "auto"; `options` NULL: the defaults. */
LANDMARK_C_EXPORT landmark_error *landmark_runtime_create(const landmark_device *device,
                                                          const landmark_runtime_options *options,
                                                          landmark_runtime **runtime);
LANDMARK_C_EXPORT void landmark_runtime_free(landmark_runtime *runtime);
/* A handle of its own to the device; the caller frees it. */
LANDMARK_C_EXPORT landmark_error *landmark_runtime_device(const landmark_runtime *runtime, landmark_device **device);

/* ----------------------------------------------------------------------------------------------------- problems */

typedef struct landmark_problem {
  size_t size;
  const char *operation; /* "forward" */
  int64_t block_size;
  int64_t head_dim;
  int32_t dtype; /* a landmark_dtype */
} landmark_problem;

typedef struct landmark_compile_options {
  size_t size;
  const char *config;        /* "query_tile=64,warps=4"; what is not named keeps its default; NULL: the default */
  const char *template_file; /* compiled in place of the built-in one; NULL: none */
  const char *template_dir;  /* its files replace built-in ones of the same name; NULL: none */
  const char *dump_dir;      /* receives the text of every stage; NULL: none */
} landmark_compile_options;

LANDMARK_C_EXPORT void landmark_problem_init(landmark_problem *problem);
LANDMARK_C_EXPORT void landmark_compile_options_init(landmark_compile_options *options);

/* ------------------------------------------------------------------------------------------------------ forward */

#define LANDMARK_Q_OFFSET_DEFAULT INT64_MIN

/* Landmark attention of q over k and v, into o and lse, all on the runtime's device:
 *
 *     q, o   [batch, query heads, query length, D]
 *     k, v   [batch, key/value heads, key length, D]      key/value heads divide query heads
 *     lse    [batch, query heads, query length]           float32: log of the normaliser, natural
 *
 * q, k, v and o have one type. Strides are arbitrary, but columns lie side by side (stride 1), no element of an output
 * lies over another, and outputs share no memory with anything else. */
typedef struct landmark_forward_arguments {
  size_t size;
  landmark_tensor q, k, v, o, lse;
  int64_t block_size; /* tokens of a block, its landmark included; must be given */
  int64_t phase;      /* how many tokens of the first block precede key 0 */
  float scale;        /* factor of the logits, above 0; 0: 1 / sqrt(D) */
  int64_t q_offset;   /* absolute position of query row 0; LANDMARK_Q_OFFSET_DEFAULT: key length - query length */
} landmark_forward_arguments;

LANDMARK_C_EXPORT void landmark_forward_arguments_init(landmark_forward_arguments *arguments);

/* Checks, compiles if needed, launches. `stream` is a CUstream of the device's context, NULL for the default stream, and
 * NULL on the host. On a GPU the call returns before the kernel is done. */
LANDMARK_C_EXPORT landmark_error *landmark_forward(landmark_runtime *runtime,
                                                   const landmark_forward_arguments *arguments, void *stream);

typedef struct landmark_prepared landmark_prepared;

/* Checks and packs a call once, to be launched many times. `options` NULL: the kernel that landmark_forward runs. */
LANDMARK_C_EXPORT landmark_error *landmark_forward_prepare(landmark_runtime *runtime,
                                                           const landmark_forward_arguments *arguments,
                                                           const landmark_compile_options *options,
                                                           landmark_prepared **prepared);
LANDMARK_C_EXPORT void landmark_prepared_free(landmark_prepared *prepared);
/* Launches on the memory that it was prepared with. On a GPU it allocates nothing, takes no lock and waits for nothing,
 * so it may be captured in a CUDA graph. */
LANDMARK_C_EXPORT landmark_error *landmark_prepared_launch(const landmark_prepared *prepared, void *stream);
/* The same on other memory in the same shapes and strides: null pointers and alignment are checked and no more. */
LANDMARK_C_EXPORT landmark_error *landmark_prepared_launch_on(const landmark_prepared *prepared, void *q, void *k,
                                                              void *v, void *o, float *lse, void *stream);

/* ----------------------------------------------------------------------------------------------------- compiling */

typedef struct landmark_text landmark_text;

/* The text of a kernel at a stage ("template", "landmark", "tile", "scheduled", "nvvm", "llvm", "ptx", "cubin", "sass",
 * "asm") for a target ("sm_90a", "host", ...). Needs no GPU. `options` may be NULL. */
LANDMARK_C_EXPORT landmark_error *landmark_compile(const landmark_problem *problem, const char *target,
                                                   const char *stage, const landmark_compile_options *options,
                                                   landmark_text **text);
LANDMARK_C_EXPORT void landmark_text_free(landmark_text *text);
LANDMARK_C_EXPORT const char *landmark_text_data(const landmark_text *text); /* null-terminated */
LANDMARK_C_EXPORT size_t landmark_text_size(const landmark_text *text);      /* without the terminator */

/* Compiles a problem's kernel for a runtime's device, or takes it from where it is kept, so that a later call of the
 * problem does not wait for it. */
LANDMARK_C_EXPORT landmark_error *landmark_forward_load(landmark_runtime *runtime, const landmark_problem *problem);

#if defined(__cplusplus)
}
#endif
#endif
