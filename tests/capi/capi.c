/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A program in plain C: compiles, runs on the host and on a GPU if there is one, and is refused what is wrong. Every
 * value is 1, so every output must be 1: the weights of a row sum to 1. Then no logit has a gradient, and dv sums the
 * weights of all rows. */
#include <landmark.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { batch = 1, heads = 4, kv_heads = 2, rows = 100, columns = 64, block = 16 };

static void fail(const char *what, landmark_error *error) {
  size_t i;
  fprintf(stderr, "%s: %s\n", what, landmark_error_message(error));
  for (i = 0; i < landmark_error_note_count(error); ++i)
    fprintf(stderr, "  %s\n", landmark_error_note(error, i));
  exit(1);
}

static void done(const char *what, landmark_error *error) {
  if (error)
    fail(what, error);
}

static void refused(const char *what, landmark_error *error, landmark_code code, const char *part) {
  if (landmark_error_code(error) != code || !strstr(landmark_error_message(error), part))
    fail(what, error);
  landmark_error_free(error);
}

static void check(const char *what, int holds) {
  if (!holds)
    fail(what, NULL);
}

/* Tensors of ones in the memory of a device. */
typedef struct {
  landmark_buffer *q, *k, *v, *o, *lse;
  landmark_forward_arguments arguments;
} call;

static landmark_buffer *ones(const landmark_device *device, int64_t count, const int64_t *shape, int32_t rank,
                             landmark_tensor *tensor) {
  landmark_buffer *buffer = NULL;
  float *values = malloc(count * sizeof(float));
  int64_t i;
  for (i = 0; i < count; ++i)
    values[i] = 1;
  done("create", landmark_buffer_create(device, count * sizeof(float), &buffer));
  done("upload", landmark_buffer_upload(buffer, values, count * sizeof(float), 0));
  done("tensor", landmark_tensor_dense(landmark_buffer_data(buffer), LANDMARK_F32, rank, shape, tensor));
  free(values);
  return buffer;
}

static call make_call(const landmark_device *device) {
  const int64_t q[] = {batch, heads, rows, columns}, kv[] = {batch, kv_heads, rows, columns};
  const int64_t all = (int64_t)batch * heads * rows * columns, some = (int64_t)batch * kv_heads * rows * columns;
  call made;
  landmark_forward_arguments_init(&made.arguments, sizeof made.arguments);
  made.q = ones(device, all, q, 4, &made.arguments.q);
  made.k = ones(device, some, kv, 4, &made.arguments.k);
  made.v = ones(device, some, kv, 4, &made.arguments.v);
  made.o = ones(device, all, q, 4, &made.arguments.o);
  made.lse = ones(device, all / columns, q, 3, &made.arguments.lse);
  made.arguments.block_size = block;
  done("fill", landmark_buffer_fill(made.o, 0xff));
  return made;
}

static void free_call(call *made) {
  landmark_buffer_free(made->q);
  landmark_buffer_free(made->k);
  landmark_buffer_free(made->v);
  landmark_buffer_free(made->o);
  landmark_buffer_free(made->lse);
}

static void check_ones(const landmark_buffer *buffer) {
  size_t count = landmark_buffer_size(buffer) / sizeof(float), i;
  float *values = malloc(landmark_buffer_size(buffer));
  done("download", landmark_buffer_download(buffer, values, landmark_buffer_size(buffer), 0));
  for (i = 0; i < count; ++i)
    check("an output is wrong", fabsf(values[i] - 1) < 2e-3f);
  free(values);
}

static void check_gradients(landmark_buffer *const made[5]) {
  const int64_t all = (int64_t)batch * heads * rows * columns, some = (int64_t)batch * kv_heads * rows * columns;
  float *values = malloc(all * sizeof(float));
  double sum = 0;
  int64_t i;
  done("download", landmark_buffer_download(made[1], values, all * sizeof(float), 0));
  for (i = 0; i < all; ++i)
    check("dq is wrong", fabsf(values[i]) < 2e-3f);
  done("download", landmark_buffer_download(made[2], values, some * sizeof(float), 0));
  for (i = 0; i < some; ++i)
    check("dk is wrong", fabsf(values[i]) < 2e-2f);
  done("download", landmark_buffer_download(made[3], values, some * sizeof(float), 0));
  for (i = 0; i < some; ++i)
    sum += values[i];
  check("dv is wrong", fabs(sum / all - 1) < 2e-3);
  free(values);
}

static void launch_backward_on(const landmark_prepared *prepared, const landmark_backward_arguments *arguments) {
  landmark_backward_pointers pointers;
  landmark_backward_pointers_init(&pointers, sizeof pointers);
  refused("null", landmark_prepared_backward_on(prepared, &pointers, NULL), LANDMARK_INVALID_ARGUMENT, "q: got a null");
  refused("forward", landmark_prepared_launch_on(prepared, NULL, NULL, NULL, NULL, NULL, NULL), LANDMARK_INVALID_ARGUMENT,
          "other operation");
  pointers.q = arguments->q.data;
  pointers.k = arguments->k.data;
  pointers.v = arguments->v.data;
  pointers.o = arguments->o.data;
  pointers.lse = arguments->lse.data;
  pointers.d_o = arguments->d_o.data;
  pointers.dq = arguments->dq.data;
  pointers.dk = arguments->dk.data;
  pointers.dv = arguments->dv.data;
  pointers.delta = arguments->delta.data;
  done("launch on", landmark_prepared_backward_on(prepared, &pointers, NULL));
}

/* A threshold of 1 leaves out all tiles that it may. */
static void run_gated_backward(landmark_runtime *runtime, landmark_device *device, landmark_backward_arguments arguments) {
  landmark_buffer *scratch = NULL;
  int64_t bytes = -1, skipped = -1, all = -1;
  refused("no threshold", landmark_backward_gated_tiles(runtime, &arguments, &skipped, &all), LANDMARK_INVALID_ARGUMENT, "gate_threshold: got 0");
  arguments.gate_threshold = 1;
  done("scratch", landmark_backward_scratch_bytes(runtime, &arguments, &bytes));
  check("gate scratch", bytes > arguments.scratch_bytes);
  arguments.scratch = NULL;
  refused("no scratch", landmark_backward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "scratch");
  done("create", landmark_buffer_create(device, (size_t)bytes, &scratch));
  arguments.scratch = landmark_buffer_data(scratch);
  arguments.scratch_bytes = bytes;
  done("backward", landmark_backward(runtime, &arguments, NULL));
  done("tiles", landmark_backward_gated_tiles(runtime, &arguments, &skipped, &all));
  check("tiles skipped", skipped >= 0 && skipped == all);
  refused("null", landmark_backward_gated_tiles(runtime, &arguments, NULL, &all), LANDMARK_INVALID_ARGUMENT, "skipped");
  arguments.gate_threshold = -1;
  refused("threshold", landmark_backward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "gate_threshold");
  landmark_buffer_free(scratch);
}

static void run_backward(landmark_runtime *runtime, landmark_device *device, const call *forward) {
  const int64_t q[] = {batch, heads, rows, columns}, kv[] = {batch, kv_heads, rows, columns};
  const int64_t all = (int64_t)batch * heads * rows * columns, some = (int64_t)batch * kv_heads * rows * columns;
  landmark_backward_arguments arguments;
  landmark_prepared *prepared = NULL;
  landmark_buffer *made[5], *scratch = NULL;
  int64_t bytes = -1;
  int part, way;
  landmark_backward_arguments_init(&arguments, sizeof arguments);
  arguments.q = forward->arguments.q;
  arguments.k = forward->arguments.k;
  arguments.v = forward->arguments.v;
  arguments.o = forward->arguments.o;
  arguments.lse = forward->arguments.lse;
  arguments.block_size = block;
  made[0] = ones(device, all, q, 4, &arguments.d_o);
  made[1] = ones(device, all, q, 4, &arguments.dq);
  made[2] = ones(device, some, kv, 4, &arguments.dk);
  made[3] = ones(device, some, kv, 4, &arguments.dv);
  made[4] = ones(device, all / columns, q, 3, &arguments.delta);
  refused("null", landmark_backward_scratch_bytes(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "bytes");
  done("scratch", landmark_backward_scratch_bytes(runtime, &arguments, &bytes));
  check("scratch of a backward", bytes >= 0);
  done("create", landmark_buffer_create(device, (size_t)bytes + 16, &scratch));
  arguments.scratch = landmark_buffer_data(scratch);
  arguments.scratch_bytes = bytes;
  for (way = 0; way < 4; ++way) {
    arguments.deterministic = way == 3;
    for (part = 1; part < 5; ++part)
      done("fill", landmark_buffer_fill(made[part], 0xff));
    if (way == 0 || way == 3) {
      done("backward", landmark_backward(runtime, &arguments, NULL));
    } else if (way == 1) {
      done("prepare", landmark_backward_prepare(runtime, &arguments, NULL, &prepared));
      done("launch", landmark_prepared_launch(prepared, NULL));
    } else {
      launch_backward_on(prepared, &arguments);
    }
    done("synchronize", landmark_device_synchronize(device));
    check_gradients(made);
  }
  landmark_prepared_free(prepared);
  run_gated_backward(runtime, device, arguments);
  arguments.dlse = arguments.q;
  refused("dlse", landmark_backward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "dlse: got rank 4");
  for (part = 0; part < 5; ++part)
    landmark_buffer_free(made[part]);
  landmark_buffer_free(scratch);
}

/* A ring goes on where it is full. */
static void run_ring(landmark_device *device, const call *forward) {
  landmark_cache_options options;
  landmark_cache_usage usage;
  landmark_cache *cache = NULL;
  int64_t sequence = -1, dropped = -1, length = 0, appended;
  landmark_cache_options_init(&options, sizeof options);
  options.block_size = block;
  options.kv_heads = kv_heads;
  options.head_dim = columns;
  options.dtype = LANDMARK_F32;
  options.max_tokens = 64 * block + rows;
  options.budget_bytes = 64 << 20;
  options.eviction = LANDMARK_EVICTION_RING;
  done("cache", landmark_cache_create(device, &options, &cache));
  done("sequence", landmark_cache_open(cache, NULL, &sequence));
  for (appended = 0; appended <= options.max_tokens; appended += rows)
    done("append", landmark_cache_append(cache, sequence, &forward->arguments.k, &forward->arguments.v, NULL));
  done("dropped", landmark_cache_dropped(cache, sequence, &dropped));
  done("length", landmark_cache_length(cache, sequence, &length));
  check("ring", dropped == 64 * block && length == appended - dropped);
  landmark_cache_usage_init(&usage, sizeof usage);
  done("usage", landmark_cache_get_usage(cache, &usage));
  check("evicted", usage.evicted_tokens == dropped);
  landmark_cache_free(cache);
}

/* Gates of equal logits are small: a threshold of 1 leaves all tiles out that it may, and only some of the ones of v come through. */
static void run_gated(landmark_runtime *runtime, landmark_device *device, const call *forward) {
  landmark_forward_arguments arguments = forward->arguments;
  landmark_buffer *scratch = NULL;
  int64_t bytes = -1, skipped = -1, all = -1;
  done("scratch", landmark_gate_scratch_bytes(runtime, &arguments, &bytes));
  check("scratch without a threshold", bytes == 0);
  arguments.gate_threshold = 1;
  done("scratch", landmark_gate_scratch_bytes(runtime, &arguments, &bytes));
  check("no scratch", bytes > 0);
  refused("no scratch", landmark_forward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "gate_scratch");
  done("create", landmark_buffer_create(device, (size_t)bytes, &scratch));
  arguments.gate_scratch = landmark_buffer_data(scratch);
  arguments.gate_scratch_bytes = bytes;
  done("forward", landmark_forward(runtime, &arguments, NULL));
  done("tiles", landmark_gated_tiles(runtime, &arguments, &skipped, &all));
  check("tiles skipped", skipped >= 0 && skipped == all);
  refused("null", landmark_gated_tiles(runtime, &arguments, NULL, &all), LANDMARK_INVALID_ARGUMENT, "skipped");
  arguments.gate_threshold = -1;
  refused("threshold", landmark_forward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "gate_threshold");
  landmark_buffer_free(scratch);
}

/* The last token of a sequence of ones sees ones, whichever blocks it chooses. */
static void run_retrieval(landmark_runtime *runtime, landmark_device *device, const call *forward) {
  const int64_t q[] = {batch, heads, 1, columns};
  const int64_t all = (int64_t)batch * heads * columns;
  landmark_cache_options cache_options;
  landmark_retrieval_options options;
  landmark_cache_usage usage;
  landmark_cache *cache = NULL;
  landmark_retrieval *retrieval = NULL;
  landmark_selection selection;
  landmark_tensor queries, outputs, lse;
  landmark_buffer *made[3];
  int64_t sequence = -1, fork = -1, length = 0;
  int32_t ids[heads * 2];
  int part;
  landmark_cache_options_init(&cache_options, sizeof cache_options);
  cache_options.block_size = block;
  cache_options.kv_heads = kv_heads;
  cache_options.head_dim = columns;
  cache_options.dtype = LANDMARK_F32;
  cache_options.placement = 2;
  refused("placement", landmark_cache_create(device, &cache_options, &cache), LANDMARK_INVALID_ARGUMENT, "placement: got 2");
  cache_options.placement = LANDMARK_PLACEMENT_DEVICE;
  cache_options.eviction = 2;
  refused("eviction", landmark_cache_create(device, &cache_options, &cache), LANDMARK_INVALID_ARGUMENT, "eviction: got 2");
  cache_options.eviction = LANDMARK_EVICTION_NONE;
  cache_options.max_sequences = 2;
  cache_options.max_tokens = 4 * rows;
  cache_options.budget_bytes = 64 << 20;
  cache_options.slab_bytes = 1 << 20;
  done("cache", landmark_cache_create(device, &cache_options, &cache));
  done("sequence", landmark_cache_open(cache, NULL, &sequence));
  done("append", landmark_cache_append(cache, sequence, &forward->arguments.k, &forward->arguments.v, NULL));
  done("fork", landmark_cache_fork(cache, sequence, NULL, &fork));
  done("append", landmark_cache_append(cache, fork, &forward->arguments.k, &forward->arguments.v, NULL));
  done("truncate", landmark_cache_truncate(cache, fork, rows + 1, NULL));
  done("length", landmark_cache_length(cache, fork, &length));
  check("length", length == rows + 1);
  landmark_cache_usage_init(&usage, sizeof usage);
  done("usage", landmark_cache_get_usage(cache, &usage));
  check("usage", usage.sequences == 2 && usage.tokens == 2 * rows + 1 && usage.shared_pages == rows / block);
  refused("sequence", landmark_cache_close(cache, 12345), LANDMARK_NOT_FOUND, "12345");

  landmark_retrieval_options_init(&options, sizeof options);
  options.query_heads = heads;
  options.top_k = 2;
  done("retrieval", landmark_retrieval_create(runtime, cache, &options, &retrieval));
  landmark_cache_free(cache); /* the retrieval keeps what it reads */
  made[0] = ones(device, all, q, 4, &queries);
  made[1] = ones(device, all, q, 4, &outputs);
  made[2] = ones(device, all / columns, q, 3, &lse);
  done("fill", landmark_buffer_fill(made[1], 0xff));
  done("bind", landmark_retrieval_bind(retrieval, &fork, 1, NULL));
  done("attend", landmark_retrieval_attend(retrieval, &queries, &outputs, &lse, NULL));
  done("synchronize", landmark_device_synchronize(device));
  check_ones(made[1]);
  done("selection", landmark_retrieval_selection(retrieval, &selection));
  check("selection", selection.shape[0] == 1 && selection.shape[1] == heads && selection.shape[2] == 1 && selection.shape[3] == 2);
  done("selection", landmark_retrieval_download_selection(retrieval, ids, heads * 2));
  for (part = 0; part < heads; ++part)
    check("ties go to the lower block", ids[2 * part] == 0 && ids[2 * part + 1] == 1);
  refused("count", landmark_retrieval_download_selection(retrieval, ids, 1), LANDMARK_INVALID_ARGUMENT, "count: got 1");
  landmark_retrieval_free(retrieval);
  for (part = 0; part < 3; ++part)
    landmark_buffer_free(made[part]);
}

static void run_on(const char *name, const char *cache) {
  landmark_device *device = NULL;
  landmark_runtime *runtime = NULL;
  landmark_prepared *prepared = NULL;
  landmark_runtime_options options;
  landmark_compile_options schedule;
  call first, second;
  done("open", landmark_device_open(name, &device));
  landmark_runtime_options_init(&options, sizeof options);
  options.cache_dir = cache;
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  first = make_call(device);
  done("forward", landmark_forward(runtime, &first.arguments, NULL));
  check_ones(first.o);
  done("settle", landmark_runtime_settle(runtime));
  run_backward(runtime, device, &first);
  run_gated(runtime, device, &first);
  run_ring(device, &first);
  run_retrieval(runtime, device, &first);

  second = make_call(device);
  landmark_compile_options_init(&schedule, sizeof schedule);
  schedule.config = "query_tile=32";
  refused("config", landmark_forward_prepare(runtime, &first.arguments, &(landmark_compile_options){sizeof schedule, "rows=1", NULL, NULL, NULL, 0}, &prepared),
          LANDMARK_INVALID_ARGUMENT, "rows=1");
  refused("length", landmark_forward_prepare(runtime, &first.arguments, &(landmark_compile_options){sizeof schedule, NULL, NULL, NULL, NULL, -1}, &prepared),
          LANDMARK_INVALID_ARGUMENT, "key_length: got -1");
  schedule.key_length = 16384; /* another than the call's: the result stays what it is */
  done("prepare", landmark_forward_prepare(runtime, &first.arguments, landmark_device_is_host(device) ? &schedule : NULL, &prepared));
  done("fill", landmark_buffer_fill(first.o, 0xff));
  landmark_runtime_free(runtime); /* what was prepared stays */
  done("launch", landmark_prepared_launch(prepared, NULL));
  check_ones(first.o);
  done("launch on", landmark_prepared_launch_on(prepared, landmark_buffer_data(second.q), landmark_buffer_data(second.k),
                                                landmark_buffer_data(second.v), landmark_buffer_data(second.o),
                                                landmark_buffer_data(second.lse), NULL));
  done("synchronize", landmark_device_synchronize(device));
  check_ones(second.o);
  refused("null", landmark_prepared_launch_on(prepared, NULL, NULL, NULL, NULL, NULL, NULL), LANDMARK_INVALID_ARGUMENT, "q: got a null");
  landmark_prepared_free(prepared);
  printf("%s (%s, %s): right\n", landmark_device_label(device), landmark_device_name(device), landmark_device_target(device));
  free_call(&first);
  free_call(&second);
  landmark_device_free(device);
}

static void refuse_nonsense(void) {
  landmark_device *device = NULL;
  landmark_runtime *runtime = NULL;
  landmark_runtime_options options;
  landmark_forward_arguments arguments;
  landmark_tensor tensor;
  const int64_t shape[] = {1, 2, 3, -1};
  refused("device", landmark_device_open("gpu", &device), LANDMARK_INVALID_ARGUMENT, "'gpu'");
  refused("null name", landmark_device_open(NULL, &device), LANDMARK_INVALID_ARGUMENT, "name: got NULL");
  check("untouched", device == NULL);
  refused("rank", landmark_tensor_dense(NULL, LANDMARK_F32, 5, shape, &tensor), LANDMARK_INVALID_ARGUMENT, "rank: got 5");
  refused("shape", landmark_tensor_dense(NULL, LANDMARK_F32, 4, shape, &tensor), LANDMARK_INVALID_ARGUMENT, "shape: got -1");
  refused("dtype", landmark_tensor_dense(NULL, (landmark_dtype)9, 3, shape, &tensor), LANDMARK_INVALID_ARGUMENT, "number 9");
  landmark_runtime_options_init(&options, sizeof options);
  options.size = 4000;
  refused("size", landmark_runtime_create(NULL, &options, &runtime), LANDMARK_INVALID_ARGUMENT, "4000 bytes");
  landmark_runtime_options_init(&options, sizeof options);
  options.tune = 3;
  refused("tune", landmark_runtime_create(NULL, &options, &runtime), LANDMARK_INVALID_ARGUMENT, "tune: got 3");
  options.size = offsetof(landmark_runtime_options, tune); /* an earlier version's structure */
  done("host", landmark_device_open("host", &device));
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  refused("null arguments", landmark_forward(runtime, NULL, NULL), LANDMARK_INVALID_ARGUMENT, "arguments: got NULL");
  refused("null runtime", landmark_runtime_settle(NULL), LANDMARK_INVALID_ARGUMENT, "runtime: got NULL");
  landmark_forward_arguments_init(&arguments, sizeof arguments);
  refused("rank of q", landmark_forward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "q: got rank 0");
  landmark_runtime_free(runtime);
  landmark_device_free(device);
  check("no error", landmark_error_code(NULL) == LANDMARK_OK && landmark_error_message(NULL)[0] == 0);
}

/* Structures of other versions: an init function keeps to the size that it is told. */
static void sizes_of_other_versions(void) {
  struct {
    landmark_runtime_options options;
    unsigned char beyond[16];
  } memory;
  const size_t earlier = offsetof(landmark_runtime_options, strict);
  memset(&memory, 0x5a, sizeof memory);
  landmark_runtime_options_init(&memory.options, earlier);
  check("earlier size", memory.options.size == earlier && memory.options.cache_limit == -1 && memory.options.strict == 0x5a5a5a5a);
  landmark_runtime_options_init(&memory.options, sizeof memory);
  check("later size", memory.options.size == sizeof memory && memory.options.strict == -1 && memory.options.tiers == -1 && memory.beyond[0] == 0 && memory.beyond[15] == 0);
  memset(&memory, 0x5a, sizeof memory);
  landmark_runtime_options_init(&memory.options, sizeof(size_t) - 1);
  check("no size", ((unsigned char *)&memory)[0] == 0x5a);
  landmark_runtime_options_init(NULL, sizeof memory.options);
}

static void compile_text(void) {
  landmark_problem problem;
  landmark_text *text = NULL;
  landmark_problem_init(&problem, sizeof problem);
  problem.block_size = 8;
  problem.head_dim = 16;
  done("compile", landmark_compile(&problem, "sm_80", "ptx", NULL, &text));
  check("ptx", strstr(landmark_text_data(text), ".target sm_80") != NULL);
  check("size", landmark_text_size(text) == strlen(landmark_text_data(text)));
  landmark_text_free(text);
  problem.head_dim = 20;
  refused("head_dim", landmark_compile(&problem, "sm_80", "ptx", NULL, &text), LANDMARK_INVALID_ARGUMENT, "got 20");
  problem.operation = "sideward";
  refused("operation", landmark_compile(&problem, "sm_80", "ptx", NULL, &text), LANDMARK_INVALID_ARGUMENT, "sideward");
}

static void tune(const char *cache) {
  landmark_device *device = NULL;
  landmark_runtime *runtime = NULL;
  landmark_runtime_options options;
  landmark_problem problem;
  landmark_tune_options sizes;
  landmark_tune_result result;
  done("host", landmark_device_open("host", &device));
  landmark_runtime_options_init(&options, sizeof options);
  options.cache_dir = cache;
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  landmark_problem_init(&problem, sizeof problem);
  problem.block_size = 8;
  problem.head_dim = 16;
  problem.dtype = LANDMARK_F32;
  landmark_tune_options_init(&sizes, sizeof sizes);
  landmark_tune_result_init(&result, sizeof result);
  sizes.heads = 2;
  sizes.key_length = 64;
  sizes.seconds = 60;
  done("tune", landmark_tune(runtime, &problem, &sizes, &result));
  check("tuned", strncmp(result.config, "query_tile=", 11) == 0 && result.milliseconds > 0 && result.measured > 0 &&
                     result.legal >= result.measured && result.kept == 1);
  sizes.kv_heads = 3;
  refused("heads", landmark_tune(runtime, &problem, &sizes, NULL), LANDMARK_INVALID_ARGUMENT, "heads");
  problem.operation = "attend";
  refused("operation", landmark_tune(runtime, &problem, NULL, NULL), LANDMARK_INVALID_ARGUMENT, "");
  landmark_runtime_free(runtime);
  landmark_device_free(device);
}

static void stay_strict(const char *cache) {
  landmark_device *device = NULL;
  landmark_runtime *runtime = NULL;
  landmark_runtime_options options;
  landmark_problem problem;
  done("host", landmark_device_open("host", &device));
  landmark_runtime_options_init(&options, sizeof options);
  options.cache_dir = cache;
  options.strict = 1;
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  landmark_problem_init(&problem, sizeof problem);
  problem.block_size = 7;
  refused("strict", landmark_forward_load(runtime, &problem), LANDMARK_NOT_FOUND, "L=7");
  problem.block_size = block;
  problem.head_dim = columns;
  problem.dtype = LANDMARK_F32;
  done("kept", landmark_forward_load(runtime, &problem));
  refused("operation", landmark_backward_load(runtime, &problem), LANDMARK_INVALID_ARGUMENT, "forward");
  problem.operation = "backward";
  done("kept", landmark_backward_load(runtime, &problem));
  landmark_runtime_free(runtime);
  landmark_device_free(device);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: capi-test CACHE_FOLDER\n"), 2;
  check("api", landmark_c_api() == LANDMARK_C_API);
  refuse_nonsense();
  sizes_of_other_versions();
  compile_text();
  run_on("host", argv[1]);
  if (landmark_device_count() > 0)
    run_on("cuda", argv[1]);
  tune(argv[1]);
  stay_strict(argv[1]);
  printf("landmark %s: passed\n", landmark_version());
  return 0;
}
