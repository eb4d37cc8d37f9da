// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark.h in terms of the C++ API; tensors are in CApiTensors.cpp, retrieval in CApiRetrieval.cpp.
#include "CApi.h"

#include "landmark/Version.h"

#include <variant>

using namespace landmark;
using namespace landmark::capi;

struct landmark_buffer {
  DeviceBuffer buffer;
};
struct landmark_prepared {
  std::variant<PreparedForward, PreparedBackward> prepared;
};
struct landmark_text {
  std::string text;
};

static_assert(int(DType::BF16) == LANDMARK_BF16 && int(DType::F16) == LANDMARK_F16 && int(DType::F32) == LANDMARK_F32);
static_assert(int(TuneMode::Off) == LANDMARK_TUNE_OFF && int(TuneMode::Cached) == LANDMARK_TUNE_CACHED &&
              int(TuneMode::On) == LANDMARK_TUNE_ON);
static_assert(int(ErrorCode::InvalidArgument) + 1 == LANDMARK_INVALID_ARGUMENT &&
              int(ErrorCode::Mismatch) + 1 == LANDMARK_MISMATCH);

namespace {

/// Converts tensors of rank 4, and those with a number for each row.
Expected<void> convert(std::initializer_list<std::tuple<const char *, const landmark_tensor *, TensorView *>> tensors,
                       std::initializer_list<std::tuple<const char *, const landmark_tensor *, RowsView *>> rows) {
  for (auto [name, tensor, view] : tensors) {
    auto converted = viewOf(name, *tensor);
    if (!converted)
      return converted.error();
    *view = *converted;
  }
  for (auto [name, tensor, view] : rows) {
    auto converted = rowsOf(name, *tensor);
    if (!converted)
      return converted.error();
    *view = *converted;
  }
  return {};
}

/// What a forward and its backward are told alike.
template <typename From, typename Arguments> void convertSemantics(const From &from, Arguments &arguments) {
  arguments.blockSize = from.block_size;
  arguments.phase = from.phase;
  if (from.scale != 0)
    arguments.scale = from.scale;
  if (from.q_offset != LANDMARK_Q_OFFSET_DEFAULT)
    arguments.qOffset = from.q_offset;
}

Expected<ForwardArguments> argumentsOf(const landmark_forward_arguments *from) {
  auto whole = completed(from, landmark_forward_arguments_init, "landmark_forward_arguments");
  if (!whole)
    return whole.error();
  ForwardArguments arguments;
  if (auto done = convert({{"q", &whole->q, &arguments.q},
                           {"k", &whole->k, &arguments.k},
                           {"v", &whole->v, &arguments.v},
                           {"o", &whole->o, &arguments.o}},
                          {{"lse", &whole->lse, &arguments.lse}});
      !done)
    return done.error();
  convertSemantics(*whole, arguments);
  arguments.gateThreshold = whole->gate_threshold;
  arguments.gateScratch = whole->gate_scratch;
  arguments.gateScratchBytes = whole->gate_scratch_bytes;
  return arguments;
}

Expected<BackwardArguments> argumentsOf(const landmark_backward_arguments *from) {
  auto whole = completed(from, landmark_backward_arguments_init, "landmark_backward_arguments");
  if (!whole)
    return whole.error();
  BackwardArguments arguments;
  if (auto done = convert({{"q", &whole->q, &arguments.q},
                           {"k", &whole->k, &arguments.k},
                           {"v", &whole->v, &arguments.v},
                           {"o", &whole->o, &arguments.o},
                           {"d_o", &whole->d_o, &arguments.dO},
                           {"dq", &whole->dq, &arguments.dq},
                           {"dk", &whole->dk, &arguments.dk},
                           {"dv", &whole->dv, &arguments.dv}},
                          {{"lse", &whole->lse, &arguments.lse}, {"delta", &whole->delta, &arguments.delta}});
      !done)
    return done.error();
  if (whole->dlse.rank != 0)
    if (auto done = convert({}, {{"dlse", &whole->dlse, &arguments.dlse.emplace()}}); !done)
      return done.error();
  convertSemantics(*whole, arguments);
  arguments.deterministic = whole->deterministic != 0;
  arguments.scratch = whole->scratch;
  arguments.scratchBytes = whole->scratch_bytes;
  arguments.gateThreshold = whole->gate_threshold;
  return arguments;
}

Expected<Problem> problemOf(const landmark_problem *from) {
  auto whole = completed(from, landmark_problem_init, "landmark_problem");
  if (!whole)
    return whole.error();
  if (auto named = given({{"problem.operation", whole->operation}}); !named)
    return named.error();
  auto operation = parseOperation(whole->operation);
  if (!operation)
    return operation.error();
  auto dtype = dtypeOf("problem.dtype", whole->dtype);
  if (!dtype)
    return dtype.error();
  Problem problem;
  problem.operation = *operation;
  problem.blockSize = whole->block_size;
  problem.headDim = whole->head_dim;
  problem.dtype = *dtype;
  problem.floatGradients = whole->float_gradients != 0;
  problem.topK = whole->top_k;
  problem.deterministic = whole->deterministic != 0;
  return problem;
}

/// `keyLength` is the call's, 0 where there is none.
Expected<CompileOptions> compileOptionsOf(const landmark_compile_options *from, const Problem &problem,
                                          const Target &target, int64_t keyLength) {
  auto whole = completed(from, landmark_compile_options_init, "landmark_compile_options");
  if (!whole)
    return whole.error();
  CompileOptions options;
  auto text = [](const char *from) { return from ? std::string(from) : std::string(); };
  options.templateFile = text(whole->template_file);
  options.templateDir = text(whole->template_dir);
  options.dumpDir = text(whole->dump_dir);
  if (whole->key_length < 0)
    return refuse("options.key_length: got {}; it must be at least 0", whole->key_length);
  options.length = lengthClass(whole->key_length > 0 ? whole->key_length : keyLength);
  if (!whole->config)
    return options;
  if (auto legal = validate(problem); !legal)
    return legal.error();
  auto config = parseConfig(whole->config, defaultConfig(problem, target, options.length));
  if (!config)
    return config.error();
  options.config = *config;
  return options;
}

Expected<RuntimeOptions> runtimeOptionsOf(const landmark_runtime_options *from) {
  auto whole = completed(from, landmark_runtime_options_init, "landmark_runtime_options");
  if (!whole)
    return whole.error();
  RuntimeOptions options;
  if (whole->cache_dir)
    options.cacheDir = whole->cache_dir;
  if (whole->cache_limit >= 0)
    options.cacheLimit = whole->cache_limit;
  if (whole->bundle)
    options.bundle = whole->bundle;
  if (whole->strict >= 0)
    options.strict = whole->strict != 0;
  if (whole->tiers >= 0)
    options.tiers = whole->tiers != 0;
  if (whole->tune > LANDMARK_TUNE_ON)
    return refuse("options.tune: got {}; allowed are -1 and the values of landmark_tune_mode", whole->tune);
  if (whole->tune >= 0)
    options.tune = TuneMode(whole->tune);
  return options;
}

} // namespace

const char *landmark_version(void) { return version(); }
int32_t landmark_c_api(void) { return LANDMARK_C_API; }

landmark_code landmark_error_code(const landmark_error *error) {
  return error ? landmark_code(int(error->error.code) + 1) : LANDMARK_OK;
}
const char *landmark_error_message(const landmark_error *error) { return error ? error->error.message.c_str() : ""; }
size_t landmark_error_note_count(const landmark_error *error) { return error ? error->error.notes.size() : 0; }
const char *landmark_error_note(const landmark_error *error, size_t index) {
  return index < landmark_error_note_count(error) ? error->error.notes[index].c_str() : "";
}
void landmark_error_free(landmark_error *error) {
  if (error != exhausted())
    delete error;
}

int32_t landmark_device_count(void) { return Device::cudaCount(); }

landmark_error *landmark_device_open(const char *name, landmark_device **device) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"name", name}, {"device", device}}); !complete)
      return complete;
    auto opened = Device::parse(name);
    if (!opened)
      return opened.error();
    *device = new landmark_device{*opened, opened->label()};
    return {};
  });
}
void landmark_device_free(landmark_device *device) { delete device; }
const char *landmark_device_name(const landmark_device *device) { return device ? device->device.name().c_str() : ""; }
const char *landmark_device_label(const landmark_device *device) { return device ? device->label.c_str() : ""; }
const char *landmark_device_target(const landmark_device *device) {
  return device ? device->device.target().chip.c_str() : "";
}
int32_t landmark_device_is_host(const landmark_device *device) { return device && device->device.isHost(); }
landmark_error *landmark_device_synchronize(const landmark_device *device) {
  return guarded([&]() -> Expected<void> {
    auto complete = given({{"device", device}});
    return complete ? device->device.synchronize() : complete;
  });
}

landmark_error *landmark_buffer_create(const landmark_device *device, size_t bytes, landmark_buffer **buffer) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"device", device}, {"buffer", buffer}}); !complete)
      return complete;
    auto made = DeviceBuffer::allocate(device->device, bytes);
    if (!made)
      return made.error();
    *buffer = new landmark_buffer{std::move(*made)};
    return {};
  });
}
void landmark_buffer_free(landmark_buffer *buffer) { delete buffer; }
void *landmark_buffer_data(const landmark_buffer *buffer) { return buffer ? buffer->buffer.data() : nullptr; }
size_t landmark_buffer_size(const landmark_buffer *buffer) { return buffer ? buffer->buffer.size() : 0; }
landmark_error *landmark_buffer_upload(landmark_buffer *buffer, const void *from, size_t bytes, size_t offset) {
  return guarded([&]() -> Expected<void> {
    auto complete = given({{"buffer", buffer}, {"from", from}});
    return complete ? buffer->buffer.upload(from, bytes, offset) : complete;
  });
}
landmark_error *landmark_buffer_download(const landmark_buffer *buffer, void *to, size_t bytes, size_t offset) {
  return guarded([&]() -> Expected<void> {
    auto complete = given({{"buffer", buffer}, {"to", to}});
    return complete ? buffer->buffer.download(to, bytes, offset) : complete;
  });
}
landmark_error *landmark_buffer_fill(landmark_buffer *buffer, uint8_t value) {
  return guarded([&]() -> Expected<void> {
    auto complete = given({{"buffer", buffer}});
    return complete ? buffer->buffer.fill(value) : complete;
  });
}

void landmark_runtime_options_init(landmark_runtime_options *options, size_t size) {
  initialise(options, size, {0, nullptr, -1, nullptr, -1, -1, -1});
}

landmark_error *landmark_runtime_create(const landmark_device *device, const landmark_runtime_options *options,
                                        landmark_runtime **runtime) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"runtime", runtime}}); !complete)
      return complete;
    auto chosen = runtimeOptionsOf(options);
    if (!chosen)
      return chosen.error();
    *runtime = new landmark_runtime{Runtime(device ? device->device : Device::best(), *chosen)};
    return {};
  });
}
void landmark_runtime_free(landmark_runtime *runtime) { delete runtime; }
landmark_error *landmark_runtime_settle(landmark_runtime *runtime) {
  return guarded([&]() -> Expected<void> {
    auto complete = given({{"runtime", runtime}});
    return complete ? runtime->runtime.settle() : complete;
  });
}
landmark_error *landmark_runtime_device(const landmark_runtime *runtime, landmark_device **device) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"runtime", runtime}, {"device", device}}); !complete)
      return complete;
    *device = new landmark_device{runtime->runtime.device(), runtime->runtime.device().label()};
    return {};
  });
}

namespace {

template <typename Arguments> Arguments defaultArguments() {
  Arguments defaults{};
  defaults.q_offset = LANDMARK_Q_OFFSET_DEFAULT;
  return defaults;
}

/// `launch` takes the arguments as C++ has them.
template <typename Arguments, typename Launch>
landmark_error *launchOn(landmark_runtime *runtime, const Arguments *arguments, Launch launch) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"runtime", runtime}, {"arguments", arguments}}); !complete)
      return complete;
    auto converted = argumentsOf(arguments);
    return converted ? launch(*converted) : converted.error();
  });
}

/// `load` takes the problem as C++ has it and the options of one of its kernels, which it returns.
template <typename Load>
landmark_error *loadOn(landmark_runtime *runtime, const landmark_problem *problem, Load load) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"runtime", runtime}, {"problem", problem}}); !complete)
      return complete;
    auto wanted = problemOf(problem);
    if (!wanted)
      return wanted.error();
    for (LengthClass length : {LengthClass::Short, LengthClass::Long}) {
      CompileOptions options;
      options.length = length;
      if (auto kernel = load(*wanted, options); !kernel)
        return kernel.error();
    }
    return {};
  });
}

} // namespace

void landmark_forward_arguments_init(landmark_forward_arguments *arguments, size_t size) {
  initialise(arguments, size, defaultArguments<landmark_forward_arguments>());
}
void landmark_backward_arguments_init(landmark_backward_arguments *arguments, size_t size) {
  initialise(arguments, size, defaultArguments<landmark_backward_arguments>());
}

landmark_error *landmark_forward(landmark_runtime *runtime, const landmark_forward_arguments *arguments, void *stream) {
  return launchOn(runtime, arguments,
                  [&](const ForwardArguments &converted) { return runtime->runtime.forward(converted, stream); });
}

landmark_error *landmark_gate_scratch_bytes(landmark_runtime *runtime, const landmark_forward_arguments *arguments, int64_t *bytes) {
  return launchOn(runtime, arguments, [&](const ForwardArguments &converted) -> Expected<void> {
    if (auto complete = given({{"bytes", bytes}}); !complete)
      return complete;
    auto needed = runtime->runtime.gateScratchBytes(converted);
    if (needed)
      *bytes = *needed;
    return needed ? Expected<void>() : needed.error();
  });
}

/// The tiles that the last launch of a forward or a backward skipped.
template <typename Arguments>
static landmark_error *gatedTilesOf(landmark_runtime *runtime, const Arguments *arguments, int64_t *skipped, int64_t *all) {
  return launchOn(runtime, arguments, [&](const auto &converted) -> Expected<void> {
    if (auto complete = given({{"skipped", skipped}, {"all", all}}); !complete)
      return complete;
    auto tiles = runtime->runtime.gatedTiles(converted);
    if (!tiles)
      return tiles.error();
    *skipped = tiles->skipped;
    *all = tiles->all;
    return {};
  });
}

landmark_error *landmark_gated_tiles(landmark_runtime *runtime, const landmark_forward_arguments *arguments, int64_t *skipped, int64_t *all) {
  return gatedTilesOf(runtime, arguments, skipped, all);
}
landmark_error *landmark_backward_gated_tiles(landmark_runtime *runtime, const landmark_backward_arguments *arguments, int64_t *skipped, int64_t *all) {
  return gatedTilesOf(runtime, arguments, skipped, all);
}

landmark_error *landmark_backward_scratch_bytes(landmark_runtime *runtime, const landmark_backward_arguments *arguments, int64_t *bytes) {
  return launchOn(runtime, arguments, [&](const BackwardArguments &converted) -> Expected<void> {
    if (auto complete = given({{"bytes", bytes}}); !complete)
      return complete;
    auto needed = runtime->runtime.backwardScratchBytes(converted);
    if (needed)
      *bytes = *needed;
    return needed ? Expected<void>() : needed.error();
  });
}

landmark_error *landmark_backward(landmark_runtime *runtime, const landmark_backward_arguments *arguments,
                                  void *stream) {
  return launchOn(runtime, arguments,
                  [&](const BackwardArguments &converted) { return runtime->runtime.backward(converted, stream); });
}

namespace {

template <typename Arguments>
landmark_error *prepareOn(landmark_runtime *runtime, const Arguments *arguments, const landmark_compile_options *options,
                          landmark_prepared **prepared) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"runtime", runtime}, {"arguments", arguments}, {"prepared", prepared}}); !complete)
      return complete;
    auto converted = argumentsOf(arguments);
    if (!converted)
      return converted.error();
    auto compileOptions =
        compileOptionsOf(options, landmark::problemOf(*converted), runtime->runtime.device().target(), converted->k.shape[2]);
    if (!compileOptions)
      return compileOptions.error();
    auto made = runtime->runtime.prepare(*converted, *compileOptions);
    if (!made)
      return made.error();
    *prepared = new landmark_prepared{std::move(*made)};
    return {};
  });
}

/// The prepared call of a handle, on other memory.
template <typename Prepared, typename Pointers>
Expected<void> launchPreparedOn(const landmark_prepared *prepared, const Pointers &pointers, void *stream) {
  if (auto complete = given({{"prepared", prepared}}); !complete)
    return complete;
  auto *call = std::get_if<Prepared>(&prepared->prepared);
  return call ? call->launch(pointers, stream) : refuse("prepared: got a call of the other operation");
}

} // namespace

landmark_error *landmark_forward_prepare(landmark_runtime *runtime, const landmark_forward_arguments *arguments,
                                         const landmark_compile_options *options, landmark_prepared **prepared) {
  return prepareOn(runtime, arguments, options, prepared);
}
landmark_error *landmark_backward_prepare(landmark_runtime *runtime, const landmark_backward_arguments *arguments,
                                          const landmark_compile_options *options, landmark_prepared **prepared) {
  return prepareOn(runtime, arguments, options, prepared);
}
void landmark_prepared_free(landmark_prepared *prepared) { delete prepared; }
landmark_error *landmark_prepared_launch(const landmark_prepared *prepared, void *stream) {
  return guarded([&]() -> Expected<void> {
    auto complete = given({{"prepared", prepared}});
    return complete ? std::visit([&](const auto &call) { return call.launch(stream); }, prepared->prepared) : complete;
  });
}
landmark_error *landmark_prepared_launch_on(const landmark_prepared *prepared, void *q, void *k, void *v, void *o,
                                            float *lse, void *stream) {
  return guarded([&] { return launchPreparedOn<PreparedForward>(prepared, ForwardPointers{q, k, v, o, lse}, stream); });
}

void landmark_backward_pointers_init(landmark_backward_pointers *pointers, size_t size) {
  initialise(pointers, size, {});
}
landmark_error *landmark_prepared_backward_on(const landmark_prepared *prepared,
                                              const landmark_backward_pointers *pointers, void *stream) {
  return guarded([&]() -> Expected<void> {
    auto from = completed(pointers, landmark_backward_pointers_init, "landmark_backward_pointers");
    if (!from)
      return from.error();
    return launchPreparedOn<PreparedBackward>(prepared,
                                              BackwardPointers{from->q, from->k, from->v, from->o, from->lse, from->d_o,
                                                               from->dq, from->dk, from->dv, from->delta, from->dlse},
                                              stream);
  });
}

void landmark_problem_init(landmark_problem *problem, size_t size) {
  const Problem defaults;
  initialise(problem, size, {0, "forward", defaults.blockSize, defaults.headDim, int32_t(defaults.dtype), 0, 0, 0});
}
void landmark_compile_options_init(landmark_compile_options *options, size_t size) { initialise(options, size, {}); }

landmark_error *landmark_compile(const landmark_problem *problem, const char *target, const char *stage,
                                 const landmark_compile_options *options, landmark_text **text) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"problem", problem}, {"target", target}, {"stage", stage}, {"text", text}}); !complete)
      return complete;
    auto wanted = problemOf(problem);
    if (!wanted)
      return wanted.error();
    auto chip = parseTarget(target);
    if (!chip)
      return chip.error();
    auto last = parseStage(stage);
    if (!last)
      return last.error();
    auto compileOptions = compileOptionsOf(options, *wanted, *chip, 0);
    if (!compileOptions)
      return compileOptions.error();
    auto made = Compiler().emit(*wanted, *chip, *last, *compileOptions);
    if (!made)
      return made.error();
    *text = new landmark_text{std::move(*made)};
    return {};
  });
}
void landmark_text_free(landmark_text *text) { delete text; }
const char *landmark_text_data(const landmark_text *text) { return text ? text->text.c_str() : ""; }
size_t landmark_text_size(const landmark_text *text) { return text ? text->text.size() : 0; }

landmark_error *landmark_forward_load(landmark_runtime *runtime, const landmark_problem *problem) {
  return loadOn(runtime, problem, [&](const Problem &wanted, const CompileOptions &options) { return runtime->runtime.forward(wanted, options); });
}
landmark_error *landmark_backward_load(landmark_runtime *runtime, const landmark_problem *problem) {
  return loadOn(runtime, problem, [&](const Problem &wanted, const CompileOptions &options) { return runtime->runtime.backward(wanted, options); });
}

namespace {

/// Fills as much of a result as the caller's version of it holds.
Expected<void> copyTo(landmark_tune_result *result, const TuneResult &found) {
  landmark_tune_result whole;
  landmark_tune_result_init(&whole, sizeof(whole));
  std::string config = describe(found.config);
  if (result->size < sizeof(std::size_t) || result->size > sizeof(whole) || config.size() >= sizeof(whole.config))
    return refuse("landmark_tune_result: got a structure of {} bytes; landmark_tune_result_init sets its size", result->size);
  std::memcpy(whole.config, config.c_str(), config.size() + 1);
  whole.milliseconds = found.milliseconds;
  whole.measured = found.measured;
  whole.legal = found.legal;
  whole.seconds = found.seconds;
  whole.kept = found.kept;
  whole.size = result->size;
  std::memcpy(result, &whole, whole.size);
  return {};
}

} // namespace

void landmark_tune_options_init(landmark_tune_options *options, size_t size) { initialise(options, size, {}); }
void landmark_tune_result_init(landmark_tune_result *result, size_t size) { initialise(result, size, {}); }

landmark_error *landmark_tune(landmark_runtime *runtime, const landmark_problem *problem,
                              const landmark_tune_options *options, landmark_tune_result *result) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"runtime", runtime}, {"problem", problem}}); !complete)
      return complete;
    auto wanted = problemOf(problem);
    if (!wanted)
      return wanted.error();
    auto sizes = completed(options, landmark_tune_options_init, "landmark_tune_options");
    if (!sizes)
      return sizes.error();
    auto found = runtime->runtime.tune(*wanted, {sizes->batch, sizes->heads, sizes->kv_heads, sizes->query_length,
                                                 sizes->key_length, sizes->exhaustive != 0, sizes->seconds});
    if (!found)
      return found.error();
    return result ? copyTo(result, *found) : Expected<void>();
  });
}
