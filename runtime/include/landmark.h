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
 * Versions. Structures begin with their size. Their init function is told it, as in landmark_problem_init(&problem,
 * sizeof problem), keeps to it and notes it in the structure; a later library takes an earlier size and sets what lies
 * beyond it to its default. A size below that of a size_t leaves the structure as it is. Functions are added and never
 * changed within one LANDMARK_C_API.
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
  int32_t tiers;         /* 1: run a kernel that nobody has kept as its baseline until the optimized one is compiled;
                          * 0: wait for that one; -1: as the environment says */
} landmark_runtime_options;

LANDMARK_C_EXPORT void landmark_runtime_options_init(landmark_runtime_options *options, size_t size);

/* One device with its kernels. `device` NULL: "auto"; `options` NULL: the defaults. */
LANDMARK_C_EXPORT landmark_error *landmark_runtime_create(const landmark_device *device,
                                                          const landmark_runtime_options *options,
                                                          landmark_runtime **runtime);
LANDMARK_C_EXPORT void landmark_runtime_free(landmark_runtime *runtime);
/* Waits until every kernel that was asked for so far is the optimized one, as who times launches should. The error says
 * why one cannot be made; its baseline, which computes the same bits, runs on. */
LANDMARK_C_EXPORT landmark_error *landmark_runtime_settle(landmark_runtime *runtime);
/* A handle of its own to the device; the caller frees it. */
LANDMARK_C_EXPORT landmark_error *landmark_runtime_device(const landmark_runtime *runtime, landmark_device **device);

/* ----------------------------------------------------------------------------------------------------- problems */

typedef struct landmark_problem {
  size_t size;
  const char *operation; /* "forward", "backward", or a step of retrieval: "score_top", "attend", ... */
  int64_t block_size;
  int64_t head_dim;
  int32_t dtype;           /* a landmark_dtype */
  int32_t float_gradients; /* backward: 1 where dq, dk and dv are float32 whatever dtype is */
  int64_t top_k;           /* retrieval: blocks to select; else 0 */
  int32_t deterministic;   /* backward: 1 for the same bits in every run, as landmark_backward_arguments says */
} landmark_problem;

typedef struct landmark_compile_options {
  size_t size;
  const char *config;        /* "query_tile=64,warps=4"; what is not named keeps its default; NULL: the default */
  const char *template_file; /* compiled in place of the built-in one; NULL: none */
  const char *template_dir;  /* its files replace built-in ones of the same name; NULL: none */
  const char *dump_dir;      /* receives the text of every stage; NULL: none */
  int64_t key_length;        /* keys of the sequences that a schedule is chosen for, where `config` names none; a kernel
                              * runs all lengths. 0: as many as the call has, else not known */
} landmark_compile_options;

LANDMARK_C_EXPORT void landmark_problem_init(landmark_problem *problem, size_t size);
LANDMARK_C_EXPORT void landmark_compile_options_init(landmark_compile_options *options, size_t size);

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
  /* Above 0 (at most 1): key tiles in which every gate is below it are skipped. What they would have added lacks in o;
   * the other weights and lse stay what they are. 0 is exact. For blocks of at most 128 tokens. */
  float gate_threshold;
  void *gate_scratch; /* with a threshold: scratch on the device, of landmark_gate_scratch_bytes bytes, overwritten */
  int64_t gate_scratch_bytes;
} landmark_forward_arguments;

LANDMARK_C_EXPORT void landmark_forward_arguments_init(landmark_forward_arguments *arguments, size_t size);

/* Checks, compiles if needed, launches. `stream` is a CUstream of the device's context, NULL for the default stream, and
 * NULL on the host. On a GPU the call returns before the kernel is done. */
LANDMARK_C_EXPORT landmark_error *landmark_forward(landmark_runtime *runtime,
                                                   const landmark_forward_arguments *arguments, void *stream);

/* Scratch that a call with a gate threshold needs; 0 without one. Compiles if needed. */
LANDMARK_C_EXPORT landmark_error *landmark_gate_scratch_bytes(landmark_runtime *runtime,
                                                              const landmark_forward_arguments *arguments,
                                                              int64_t *bytes);
/* How many key tiles the last launch of a call with a gate threshold skipped, and how many there were that are no edges.
 * Waits for the device. */
LANDMARK_C_EXPORT landmark_error *landmark_gated_tiles(landmark_runtime *runtime,
                                                       const landmark_forward_arguments *arguments, int64_t *skipped,
                                                       int64_t *all);

typedef struct landmark_prepared landmark_prepared;

/* Checks and packs a call once, to be launched many times. `options` NULL: the kernel that landmark_forward runs. */
LANDMARK_C_EXPORT landmark_error *landmark_forward_prepare(landmark_runtime *runtime,
                                                           const landmark_forward_arguments *arguments,
                                                           const landmark_compile_options *options,
                                                           landmark_prepared **prepared);
LANDMARK_C_EXPORT void landmark_prepared_free(landmark_prepared *prepared);
/* Launches on the memory that it was prepared with. On a GPU it allocates nothing, takes no lock and waits for nothing,
 * so it may be captured in a CUDA graph, which waits for the optimized kernel. */
LANDMARK_C_EXPORT landmark_error *landmark_prepared_launch(const landmark_prepared *prepared, void *stream);
/* The same on other memory in the same shapes and strides: null pointers and alignment are checked and no more. */
LANDMARK_C_EXPORT landmark_error *landmark_prepared_launch_on(const landmark_prepared *prepared, void *q, void *k,
                                                              void *v, void *o, float *lse, void *stream);

/* ----------------------------------------------------------------------------------------------------- backward */

/* Gradients of landmark attention, of what landmark_forward computed from q, k and v, given that of its output:
 *
 *     q, o, d_o, dq  [batch, query heads, query length, D]
 *     k, v, dk, dv   [batch, key/value heads, key length, D]   dk and dv are sums over the query heads of a group
 *     lse            [batch, query heads, query length]        as landmark_forward left it, like o
 *     dlse           the same shape: gradient of lse, where that is an output too (float32); rank 0: none
 *     delta          the same shape: scratch that is overwritten (float32)
 *
 * q, k, v, o and d_o have one type; dq, dk and dv have that type too, or are all float32. The outputs and delta share no
 * memory with anything else. On a GPU programs may add dq up in memory, in an order that differs from run to run, and dq
 * then in its rounding: that is faster, and takes scratch. With deterministic two calls with the same arguments give the
 * same bits, as they always do on the host. */
typedef struct landmark_backward_arguments {
  size_t size;
  landmark_tensor q, k, v, o, lse, d_o, dq, dk, dv, delta;
  int64_t block_size; /* these four: what landmark_forward was told */
  int64_t phase;
  float scale;
  int64_t q_offset;
  landmark_tensor dlse;
  int32_t deterministic;
  void *scratch; /* on the device, aligned to 16 bytes, of landmark_backward_scratch_bytes bytes, overwritten */
  int64_t scratch_bytes;
  /* Above 0 (at most 1): past tiles of query rows and keys in which every gate is below it are skipped. What they hold
   * lacks in dq, dk and dv. 0 is exact. For blocks of at most 128 tokens. */
  float gate_threshold;
} landmark_backward_arguments;

LANDMARK_C_EXPORT void landmark_backward_arguments_init(landmark_backward_arguments *arguments, size_t size);

/* Scratch that a call needs: 4 (D + 2) bytes for each row of q (rounded up to 16 for each head) and 896 for each head, or
 * 0, and what a gate threshold takes. Compiles if needed; the scratch in `arguments` may still be none. */
LANDMARK_C_EXPORT landmark_error *landmark_backward_scratch_bytes(landmark_runtime *runtime,
                                                                  const landmark_backward_arguments *arguments,
                                                                  int64_t *bytes);

/* As landmark_gated_tiles: tiles of query rows and keys that the last launch of a backward with a gate threshold skipped. */
LANDMARK_C_EXPORT landmark_error *landmark_backward_gated_tiles(landmark_runtime *runtime,
                                                                const landmark_backward_arguments *arguments,
                                                                int64_t *skipped, int64_t *all);

/* Checks, compiles if needed, launches; `stream` as in landmark_forward. */
LANDMARK_C_EXPORT landmark_error *landmark_backward(landmark_runtime *runtime,
                                                    const landmark_backward_arguments *arguments, void *stream);

/* The same for a backward; the handle is launched by landmark_prepared_launch too. */
LANDMARK_C_EXPORT landmark_error *landmark_backward_prepare(landmark_runtime *runtime,
                                                            const landmark_backward_arguments *arguments,
                                                            const landmark_compile_options *options,
                                                            landmark_prepared **prepared);

typedef struct landmark_backward_pointers {
  size_t size;
  void *q, *k, *v, *o;
  float *lse;
  void *d_o, *dq, *dk, *dv;
  float *delta;
  float *dlse; /* where the call was prepared with one */
} landmark_backward_pointers;

LANDMARK_C_EXPORT void landmark_backward_pointers_init(landmark_backward_pointers *pointers, size_t size);
/* Launches a prepared backward on other memory, as landmark_prepared_launch_on a forward. */
LANDMARK_C_EXPORT landmark_error *landmark_prepared_backward_on(const landmark_prepared *prepared,
                                                                const landmark_backward_pointers *pointers,
                                                                void *stream);

/* ---------------------------------------------------------------------------------------- a cache and retrieval */

/* Keys and values of many sequences in pages of one block, one layer's. Unlike other handles a cache is used from one
 * thread at a time, with the retrievals that read it; on a GPU one stream orders all of it, and memory that a call was
 * given must stay valid until the stream has passed the call. */
typedef struct landmark_cache landmark_cache;

typedef enum landmark_placement {
  LANDMARK_PLACEMENT_DEVICE = 0,
  LANDMARK_PLACEMENT_HOST = 1 /* pages in pinned memory of the host, those in use on the device too if hot_bytes > 0 */
} landmark_placement;

/* What an append does that finds no room in max_tokens or in memory. */
typedef enum landmark_eviction {
  LANDMARK_EVICTION_NONE = 0, /* it fails */
  /* The sequence drops its oldest complete blocks, 64 at a time, as few as make room; or the append fails and drops
   * nothing. Tokens and blocks are counted from the first that the sequence holds: see landmark_cache_dropped. */
  LANDMARK_EVICTION_RING = 1
} landmark_eviction;

typedef struct landmark_cache_options {
  size_t size;
  int64_t block_size; /* tokens of a page, the landmark last; 2 to 256 */
  int64_t kv_heads;
  int64_t head_dim;
  int32_t dtype;         /* a landmark_dtype */
  int32_t placement;     /* a landmark_placement */
  int64_t max_sequences; /* open at a time */
  int64_t max_tokens;    /* of one sequence; must be given */
  int64_t budget_bytes;  /* for keys, values and landmark keys together; must be given */
  int64_t slab_bytes;    /* memory is taken in steps of about this */
  int64_t hot_bytes;     /* with pages on the host: device memory for blocks in use again and again; 0 for none */
  int32_t eviction;      /* a landmark_eviction */
} landmark_cache_options;

LANDMARK_C_EXPORT void landmark_cache_options_init(landmark_cache_options *options, size_t size);
LANDMARK_C_EXPORT landmark_error *landmark_cache_create(const landmark_device *device,
                                                        const landmark_cache_options *options, landmark_cache **cache);
LANDMARK_C_EXPORT void landmark_cache_free(landmark_cache *cache);

/* A new sequence: empty, or with what another one holds. Its number is never used twice. */
LANDMARK_C_EXPORT landmark_error *landmark_cache_open(landmark_cache *cache, void *stream, int64_t *sequence);
LANDMARK_C_EXPORT landmark_error *landmark_cache_fork(landmark_cache *cache, int64_t sequence, void *stream,
                                                      int64_t *fork);
/* Appends k and v, both [1, key/value heads, tokens, D] on the cache's device; the last token of every block is its
 * landmark. Drops the tokens from `length` on. Ends a sequence. */
LANDMARK_C_EXPORT landmark_error *landmark_cache_append(landmark_cache *cache, int64_t sequence,
                                                        const landmark_tensor *k, const landmark_tensor *v,
                                                        void *stream);
LANDMARK_C_EXPORT landmark_error *landmark_cache_truncate(landmark_cache *cache, int64_t sequence, int64_t length,
                                                          void *stream);
LANDMARK_C_EXPORT landmark_error *landmark_cache_close(landmark_cache *cache, int64_t sequence);
LANDMARK_C_EXPORT landmark_error *landmark_cache_length(const landmark_cache *cache, int64_t sequence,
                                                        int64_t *length);
/* Tokens that a ring dropped before those that the sequence holds: a multiple of 64 blocks. */
LANDMARK_C_EXPORT landmark_error *landmark_cache_dropped(const landmark_cache *cache, int64_t sequence,
                                                         int64_t *dropped);
/* Copies tokens, or the landmark keys of complete blocks, from `first` on: as many as k has rows. */
LANDMARK_C_EXPORT landmark_error *landmark_cache_read(const landmark_cache *cache, int64_t sequence, int64_t first,
                                                      const landmark_tensor *k, const landmark_tensor *v,
                                                      void *stream);
LANDMARK_C_EXPORT landmark_error *landmark_cache_read_landmarks(const landmark_cache *cache, int64_t sequence,
                                                                int64_t first, const landmark_tensor *k, void *stream);

/* What a cache holds. Pages shared by forks count once, shared tokens for each. */
typedef struct landmark_cache_usage {
  size_t size;
  int64_t sequences, tokens, pages, shared_pages, landmark_pages, capacity_pages, capacity_landmark_pages;
  int64_t bytes_in_use, bytes_allocated, budget_bytes;
  int64_t hot_pages, hot_capacity, hot_hits, hot_misses; /* blocks of a head */
  int64_t evicted_tokens;                                /* dropped by rings */
} landmark_cache_usage;

LANDMARK_C_EXPORT void landmark_cache_usage_init(landmark_cache_usage *usage, size_t size);
LANDMARK_C_EXPORT landmark_error *landmark_cache_get_usage(const landmark_cache *cache, landmark_cache_usage *usage);

/* Attention of the last tokens of sequences to their own block, a window and the blocks that they choose by landmark. */
typedef struct landmark_retrieval landmark_retrieval;

/* Which rows share a selection of blocks. */
typedef enum landmark_granularity {
  LANDMARK_PER_QUERY_HEAD = 0,
  LANDMARK_PER_KV_HEAD = 1,
  LANDMARK_PER_HEAD_OF_CHUNK = 2,
  LANDMARK_PER_QUERY = 3
} landmark_granularity;

typedef enum landmark_rotary_layout {
  LANDMARK_ROTARY_NONE = 0,
  LANDMARK_ROTARY_HALF = 1,       /* pairs (p, p + D/2) */
  LANDMARK_ROTARY_INTERLEAVED = 2 /* pairs (2p, 2p + 1) */
} landmark_rotary_layout;

typedef enum landmark_positions { LANDMARK_POSITIONS_TRUE = 0, LANDMARK_POSITIONS_STINGY = 1 } landmark_positions;

typedef struct landmark_retrieval_options {
  size_t size;
  int64_t query_heads;   /* a multiple of the cache's key/value heads; must be given */
  int64_t top_k;         /* blocks to choose; 1 to 128 */
  int64_t window;        /* complete blocks before a query's own that it always sees */
  int32_t granularity;   /* a landmark_granularity */
  float scale;           /* factor of the logits, above 0; 0: 1 / sqrt(D) */
  int64_t max_batch;     /* sequences of a call */
  int64_t max_queries;   /* queries of a sequence in a call */
  int64_t scratch_bytes; /* for intermediate results, at most */
  int64_t score_splits;  /* parts that landmarks and blocks are cut into; 0: by the device's size */
  int64_t attend_splits;
  int32_t rotary_layout;    /* a landmark_rotary_layout */
  int32_t rotary_positions; /* a landmark_positions */
  double rotary_base;
  double rotary_scaling;
} landmark_retrieval_options;

LANDMARK_C_EXPORT void landmark_retrieval_options_init(landmark_retrieval_options *options, size_t size);
LANDMARK_C_EXPORT landmark_error *landmark_retrieval_create(landmark_runtime *runtime, landmark_cache *cache,
                                                            const landmark_retrieval_options *options,
                                                            landmark_retrieval **retrieval);
LANDMARK_C_EXPORT void landmark_retrieval_free(landmark_retrieval *retrieval);
/* Names the sequences of the next calls, one for each of the batch. */
LANDMARK_C_EXPORT landmark_error *landmark_retrieval_bind(landmark_retrieval *retrieval, const int64_t *sequences,
                                                          size_t count, void *stream);
/* q and o [batch, query heads, queries, D], lse [batch, query heads, queries], float32. The queries are the sequences'
 * last tokens, which are appended first. On a GPU it allocates nothing and waits for nothing, so it may be captured in a
 * CUDA graph. */
LANDMARK_C_EXPORT landmark_error *landmark_retrieval_attend(landmark_retrieval *retrieval, const landmark_tensor *q,
                                                            const landmark_tensor *o, const landmark_tensor *lse,
                                                            void *stream);

/* Ids of the blocks that the last call chose, [batch, head, query, place], ascending, -1 behind the last; on the
 * device, valid until the next call. Strides count elements. */
typedef struct landmark_selection {
  const int32_t *data;
  int64_t shape[4];
  int64_t strides[4];
} landmark_selection;

LANDMARK_C_EXPORT landmark_error *landmark_retrieval_selection(const landmark_retrieval *retrieval,
                                                               landmark_selection *selection);
/* The same on the host, dense: `count` ids, as many as the shape says. Waits for the device. */
LANDMARK_C_EXPORT landmark_error *landmark_retrieval_download_selection(const landmark_retrieval *retrieval,
                                                                        int32_t *ids, size_t count);

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

/* Compiles a problem's kernels for a runtime's device, one for each schedule that is chosen by length, or takes them from
 * where they are kept, so that a later call of the problem does not wait for one. */
LANDMARK_C_EXPORT landmark_error *landmark_forward_load(landmark_runtime *runtime, const landmark_problem *problem);
LANDMARK_C_EXPORT landmark_error *landmark_backward_load(landmark_runtime *runtime, const landmark_problem *problem);

/* Sizes that a problem is measured with; 0: the device's defaults. */
typedef struct landmark_tune_options {
  size_t size;
  int64_t batch, heads, kv_heads, query_length, key_length;
  int32_t exhaustive; /* 1: every legal config, not those that promise most */
  double seconds;     /* nothing more is tried after this time; 0: no limit */
} landmark_tune_options;

typedef struct landmark_tune_result {
  size_t size;
  char config[256];    /* the fastest, as landmark_compile_options takes it */
  double milliseconds; /* the median of its launches */
  int64_t measured, legal;
  double seconds;
  int32_t kept; /* whether later processes use it */
} landmark_tune_result;

LANDMARK_C_EXPORT void landmark_tune_options_init(landmark_tune_options *options, size_t size);
LANDMARK_C_EXPORT void landmark_tune_result_init(landmark_tune_result *result, size_t size);
/* Finds the fastest schedule of a forward, a backward, or a step of decoding ("score_top", "attend", "attend_part",
 * "attend_join") for a runtime's device by measurement, each checked first. Later requests that name no config get it,
 * retrievals those tuned for as many heads and queries. Takes as long as many compilations do. `options` and `result` may
 * be NULL. */
LANDMARK_C_EXPORT landmark_error *landmark_tune(landmark_runtime *runtime, const landmark_problem *problem,
                                                const landmark_tune_options *options, landmark_tune_result *result);

#if defined(__cplusplus)
}
#endif
#endif
