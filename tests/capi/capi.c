/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A program in plain C: compiles, runs on the host and on a GPU if there is one, and is refused what is wrong. Every
 * value is 1, so every output must be 1: the weights of a row sum to 1. */
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
  landmark_forward_arguments_init(&made.arguments);
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

static void run_on(const char *name, const char *cache) {
  landmark_device *device = NULL;
  landmark_runtime *runtime = NULL;
  landmark_prepared *prepared = NULL;
  landmark_runtime_options options;
  landmark_compile_options schedule;
  call first, second;
  done("open", landmark_device_open(name, &device));
  landmark_runtime_options_init(&options);
  options.cache_dir = cache;
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  first = make_call(device);
  done("forward", landmark_forward(runtime, &first.arguments, NULL));
  check_ones(first.o);

  second = make_call(device);
  landmark_compile_options_init(&schedule);
  schedule.config = "query_tile=32";
  refused("config", landmark_forward_prepare(runtime, &first.arguments, &(landmark_compile_options){sizeof schedule, "rows=1", NULL, NULL, NULL}, &prepared),
          LANDMARK_INVALID_ARGUMENT, "rows=1");
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
  landmark_runtime_options_init(&options);
  options.size = 4000;
  refused("size", landmark_runtime_create(NULL, &options, &runtime), LANDMARK_INVALID_ARGUMENT, "4000 bytes");
  landmark_runtime_options_init(&options);
  options.tune = 3;
  refused("tune", landmark_runtime_create(NULL, &options, &runtime), LANDMARK_INVALID_ARGUMENT, "tune: got 3");
  options.size = offsetof(landmark_runtime_options, tune); /* an earlier version's structure */
  done("host", landmark_device_open("host", &device));
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  refused("null arguments", landmark_forward(runtime, NULL, NULL), LANDMARK_INVALID_ARGUMENT, "arguments: got NULL");
  landmark_forward_arguments_init(&arguments);
  refused("rank of q", landmark_forward(runtime, &arguments, NULL), LANDMARK_INVALID_ARGUMENT, "q: got rank 0");
  landmark_runtime_free(runtime);
  landmark_device_free(device);
  check("no error", landmark_error_code(NULL) == LANDMARK_OK && landmark_error_message(NULL)[0] == 0);
}

static void compile_text(void) {
  landmark_problem problem;
  landmark_text *text = NULL;
  landmark_problem_init(&problem);
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

static void stay_strict(const char *cache) {
  landmark_device *device = NULL;
  landmark_runtime *runtime = NULL;
  landmark_runtime_options options;
  landmark_problem problem;
  done("host", landmark_device_open("host", &device));
  landmark_runtime_options_init(&options);
  options.cache_dir = cache;
  options.strict = 1;
  done("runtime", landmark_runtime_create(device, &options, &runtime));
  landmark_problem_init(&problem);
  problem.block_size = 7;
  refused("strict", landmark_forward_load(runtime, &problem), LANDMARK_NOT_FOUND, "L=7");
  problem.block_size = block;
  problem.head_dim = columns;
  problem.dtype = LANDMARK_F32;
  done("kept", landmark_forward_load(runtime, &problem));
  landmark_runtime_free(runtime);
  landmark_device_free(device);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: capi-test CACHE_FOLDER\n"), 2;
  check("api", landmark_c_api() == LANDMARK_C_API);
  refuse_nonsense();
  compile_text();
  run_on("host", argv[1]);
  if (landmark_device_count() > 0)
    run_on("cuda", argv[1]);
  stay_strict(argv[1]);
  printf("landmark %s: passed\n", landmark_version());
  return 0;
}
