// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark bench: a kernel's speed on random inputs, checked.
#include "BenchDecode.h"
#include "Command.h"
#include "LongContext.h"
#include "Timing.h"
#include "Verify.h"
#include "landmark/Version.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>

namespace landmark::tool {

namespace {

/// What one pair of a query and a key counts for each element of a head: two products in the forward, five in the backward.
int flopsOf(Operation operation) { return isBackward(operation) ? 10 : 4; }

std::string flopConvention(Operation operation) {
  return fmt::format("{} * batch * heads * pairs * D, pairs = queries * (keys - queries / 2)", flopsOf(operation));
}

struct Options {
  ProblemOptions problem;
  KernelOptions kernel;
  int64_t batch = 1, heads = 16, length = 4096;
  std::optional<int64_t> kvHeads, queryLength;
  int64_t phase = 0;
  std::string device = "auto", json, input;
  float gateThreshold = 0;
  int repeats = 50;
  uint64_t seed = 1;
};

struct Result {
  Problem problem;
  Config config;
  double compileMs = 0, medianMs = 0, meanMs = 0, minMs = 0, tflops = 0;
  std::vector<Comparison> errors;
  std::optional<GatedTiles> tiles = std::nullopt;
};

Expected<void> checkMemory(const Options &options, const Problem &problem, int64_t kvHeads, int64_t queries) {
  double rows =
      double(options.batch) * (double(options.heads) * double(queries) + double(kvHeads) * double(options.length));
  double tensors = problem.operation == Operation::Backward ? 5 : 2; // q and o, or with dO and dq; k and v, or with dk and dv; and float32 gradients
  double needed = tensors * rows * double(problem.headDim * byteSize(problem.dtype)),
         available = double(Device::host().memoryBytes());
  if (needed <= available)
    return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("--batch, --heads, --length: these tensors take {:.1f} GiB; the host, "
                           "where they are drawn and checked, has {:.1f} GiB",
                           needed / (1 << 30), available / (1 << 30))};
}

/// The file's tensors, their rows repeated up to the length.
Expected<Inputs> readInputs(Options &options, Problem &problem) {
  auto file = readSafetensors(options.input);
  if (!file)
    return file.error();
  Inputs inputs;
  for (auto [name, tensor] : {std::pair{"q", &inputs.q}, std::pair{"k", &inputs.k}, std::pair{"v", &inputs.v}}) {
    const HostTensor &found = file->tensors[name];
    if (found.shape.size() != 4 || found.elements() == 0)
      return Error{ErrorCode::InvalidArgument, fmt::format("--input: '{}' has no tensor '{}' of [batch, head, row, column]", options.input, name)};
    std::vector<int64_t> shape = found.shape;
    shape[2] = options.length;
    *tensor = HostTensor::zeros(found.dtype, shape);
    int64_t rowBytes = shape[3] * byteSize(found.dtype), from = found.shape[2];
    for (int64_t row = 0; row < shape[0] * shape[1] * options.length; ++row) {
      int64_t source = row / options.length * from + row % options.length % from;
      std::memcpy(tensor->bytes.data() + row * rowBytes, found.bytes.data() + source * rowBytes, rowBytes);
    }
  }
  options.batch = inputs.q.shape[0];
  options.heads = inputs.q.shape[1];
  options.kvHeads = inputs.k.shape[1];
  options.queryLength = options.length;
  problem.headDim = inputs.q.shape[3];
  problem.dtype = inputs.q.dtype;
  inputs.blockSize = problem.blockSize;
  inputs.phase = options.phase;
  return inputs;
}

Expected<Inputs> drawInputs(Options &options, Problem &problem) {
  if (!options.input.empty())
    return readInputs(options, problem);
  int64_t kvHeads = options.kvHeads.value_or(options.heads), queries = options.queryLength.value_or(options.length);
  if (auto fits = checkMemory(options, problem, kvHeads, queries); !fits)
    return fits.error();
  auto draw = [&](int64_t heads, int64_t length, uint64_t which) {
    return randomTensor(problem.dtype, {options.batch, heads, length, problem.headDim}, options.seed * 3 + which);
  };
  Inputs inputs{draw(options.heads, queries, 0), draw(kvHeads, options.length, 1), draw(kvHeads, options.length, 2)};
  inputs.blockSize = problem.blockSize;
  inputs.phase = options.phase;
  return inputs;
}

/// Warms up for at least 3 launches and a tenth of a second, then times.
template <typename Kernel, typename Arguments>
Expected<std::vector<double>> measure(const Kernel &kernel, const Arguments &arguments, int repeats) {
  auto launch = [&] { return kernel.launch(arguments); };
  const Device &device = kernel.device();
  Stopwatch warming;
  for (int i = 0; i < 3 || (warming.milliseconds() < 100 && i < 1000); ++i) {
    if (auto done = launch(); !done)
      return done.error();
    if (auto done = device.synchronize(); !done)
      return done.error();
  }
  return timeCalls(device, repeats, launch);
}

double teraflops(const Options &options, const Problem &problem, double milliseconds) {
  double queries = double(options.queryLength.value_or(options.length)), keys = double(options.length);
  double pairs = queries * (keys - queries / 2);
  return flopsOf(problem.operation) * double(options.batch) * double(options.heads) * pairs * double(problem.headDim) / (milliseconds * 1e-3) /
         1e12;
}

/// Times a compiled kernel on poisoned outputs.
template <typename Kernel, typename Space>
Expected<Result> time(const Options &options, const Kernel &kernel, double compileMs, Space &space) {
  const Problem &problem = kernel.kernel().problem;
  Result result{.problem = problem, .config = kernel.kernel().config, .compileMs = compileMs};
  if (auto done = space.poison(); !done)
    return done.error();
  auto times = measure(kernel, space.arguments(), options.repeats);
  if (!times)
    return times.error();
  result.medianMs = median(*times);
  result.meanMs = std::accumulate(times->begin(), times->end(), 0.0) / static_cast<double>(times->size());
  result.minMs = *std::min_element(times->begin(), times->end());
  result.tflops = teraflops(options, problem, result.medianMs);
  return result;
}

/// With the tiles that were skipped, if there is a threshold.
template <typename Kernel, typename Arguments> Expected<Result> withTiles(Result result, const Kernel &kernel, const Arguments &arguments) {
  if (arguments.gateThreshold == 0)
    return result;
  auto tiles = kernel.gatedTiles(arguments);
  if (!tiles)
    return tiles.error();
  result.tiles = *tiles;
  return result;
}

Expected<Result> benchmarkForward(const Options &options, Runtime &runtime, const Problem &problem, const CompileOptions &compileOptions,
                                  const Inputs &inputs) {
  auto space = Workspace::create(runtime.device(), inputs);
  if (!space)
    return space.error();
  Stopwatch compiling;
  auto kernel = runtime.forward(problem, compileOptions);
  if (!kernel)
    return kernel.error();
  double compileMs = compiling.milliseconds();
  if (auto done = space->addScratch(*kernel); !done)
    return done.error();
  auto result = time(options, *kernel, compileMs, *space);
  if (!result)
    return result;
  auto outputs = space->download();
  if (!outputs)
    return outputs.error();
  result->errors = comparisonsOf(compareSample(inputs, *outputs), inputs, runtime.device());
  return withTiles(std::move(*result), *kernel, space->arguments());
}

/// o and lse are the forward's.
Expected<Result> benchmarkBackward(const Options &options, Runtime &runtime, const Problem &problem, const CompileOptions &compileOptions,
                                   Inputs forward) {
  GradientInputs inputs{std::move(forward), {}};
  inputs.dO = randomTensor(problem.dtype, inputs.forward.q.shape, options.seed * 3 + 5003);
  auto space = GradientWorkspace::create(runtime, inputs, problem.gradientType(), problem.deterministic);
  if (!space)
    return space.error();
  Stopwatch compiling;
  auto kernel = runtime.backward(problem, compileOptions);
  if (!kernel)
    return kernel.error();
  double compileTime = compiling.milliseconds();
  if (auto made = space->makeScratch(*kernel); !made)
    return made.error();
  auto result = time(options, *kernel, compileTime, *space);
  if (!result)
    return result;
  auto outputs = space->downloadForward();
  auto gradients = space->download();
  if (!outputs || !gradients)
    return outputs ? gradients.error() : outputs.error();
  result->errors = compareSample(inputs, *outputs, *gradients, runtime.device());
  return withTiles(std::move(*result), *kernel, space->arguments());
}

/// What a file decides of the options and the problem is written there.
Expected<Result> benchmark(Options &options, Problem &problem, const Device &device) {
  auto inputs = drawInputs(options, problem);
  if (!inputs)
    return inputs.error();
  inputs->gateThreshold = options.gateThreshold;
  if (options.gateThreshold > 0)
    problem.operation = isBackward(problem.operation) ? Operation::BackwardListed : Operation::ForwardListed;
  auto compileOptions = options.kernel.parse(problem, device.target(), lengthClass(options.length));
  if (!compileOptions)
    return compileOptions.error();
  Runtime runtime(device, withoutTiers());
  return isBackward(problem.operation) ? benchmarkBackward(options, runtime, problem, *compileOptions, std::move(*inputs))
                                                  : benchmarkForward(options, runtime, problem, *compileOptions, *inputs);
}

/// The errors by tensor: of the forward o is what is meant by "the" error, of the backward the worst gradient.
void addErrors(nlohmann::ordered_json &json, const Result &result) {
  bool isForward = !isBackward(result.problem.operation);
  double worst = 0, tolerance = 0;
  for (const Comparison &comparison : result.errors)
    if (!isForward || comparison.tensor == "o") {
      worst = std::max(worst, comparison.error);
      tolerance = comparison.tolerance;
    }
  json["relative_error"] = worst;
  for (const Comparison &comparison : result.errors)
    if (comparison.tensor != "o")
      json["relative_error_" + comparison.tensor] = comparison.error;
  json["tolerance"] = tolerance;
  if (isForward)
    json["tolerance_lse"] = result.errors.back().tolerance;
}

Expected<void> writeJson(const Options &options, const Device &device, const Result &result) {
  nlohmann::ordered_json json = {
      {"version", landmark::version()},
      {"operation", name(result.problem.operation)},
      {"head_dim", result.problem.headDim},
      {"block_size", result.problem.blockSize},
      {"dtype", name(result.problem.dtype)},
      {"batch", options.batch},
      {"heads", options.heads},
      {"kv_heads", options.kvHeads.value_or(options.heads)},
      {"length", options.length},
      {"query_length", options.queryLength.value_or(options.length)},
      {"phase", options.phase},
      {"seed", options.seed},
      {"device", device.name()},
      {"target", device.target().chip},
      {"config", describe(result.config)},
      {"compile_ms", result.compileMs},
      {"repeats", options.repeats},
      {"median_ms", result.medianMs},
      {"mean_ms", result.meanMs},
      {"min_ms", result.minMs},
      {"tflops", result.tflops},
      {"flop_convention", flopConvention(result.problem.operation)},
  };
  if (isBackward(result.problem.operation))
    json["gradient_dtype"] = name(result.problem.gradientType());
  if (result.tiles) {
    json["gate_threshold"] = options.gateThreshold;
    json["skipped_tiles"] = result.tiles->skipped;
    json["tiles"] = result.tiles->all;
  }
  addErrors(json, result);
  return writeFile(options.json, json.dump(2) + "\n");
}

Expected<void> bench(Options options) {
  auto problem = options.problem.parse();
  if (!problem)
    return problem.error();
  if (auto allowed = refuseSteps(problem->operation); !allowed)
    return allowed;
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  auto result = benchmark(options, *problem, *device);
  if (!result)
    return result.error();
  fmt::print("{}, batch {}, heads {} over {}, {} queries, {} keys\n", landmark::describe(*problem), options.batch,
             options.heads, options.kvHeads.value_or(options.heads), options.queryLength.value_or(options.length),
             options.length);
  fmt::print("on {}, {}, compiled in {:.1f} ms\n", tool::describe(*device), describe(result->config),
             result->compileMs);
  fmt::print("median {:.4f} ms, mean {:.4f} ms, fastest {:.4f} ms of {}: {:.4g} TFLOP/s by the median\n({})\n", result->medianMs, result->meanMs,
             result->minMs, options.repeats, result->tflops, flopConvention(problem->operation));
  if (result->tiles)
    fmt::print("gate threshold {}: skipped {} of {} tiles\n", options.gateThreshold, result->tiles->skipped, result->tiles->all);
  if (!options.json.empty())
    if (auto written = writeJson(options, *device, *result); !written)
      return written;
  return judge(result->errors, "the float64 oracle on a sample");
}

} // namespace

Command addBench(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("bench", "Measure a kernel on random inputs and check its result");
  CLI::Range count(int64_t(1), int64_t(1) << 20), length(int64_t(1), int64_t(1) << 30);
  options->problem.addTo(*command);
  options->problem.operation.clear();
  command->add_option("--batch,-B", options->batch, "Batch")->check(count)->capture_default_str();
  command->add_option("--heads,-H", options->heads, "Query heads")->check(count)->capture_default_str();
  command
      ->add_option("--kv-heads,-G", options->kvHeads, "Key/value heads; must divide the query heads (default: as many)")
      ->check(count);
  command->add_option("--length,-N", options->length, "Keys")->check(length)->capture_default_str();
  command->add_option("--query-length,-M", options->queryLength, "Queries, the last ones (default: as many as keys)")
      ->check(length);
  command->add_option("--phase", options->phase, "Tokens of the first block that precede key 0")->capture_default_str();
  addDevice(*command, options->device);
  command->add_option("--repeats", options->repeats, "Launches to time; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the inputs")->capture_default_str();
  CLI::Option *input = command->add_option("--input", options->input, "File with q, k and v to use, their rows repeated up to the length, in place of random ones; it says their type, heads and head dimension");
  for (const char *name : {"--head-dim", "--dtype", "--batch", "--heads", "--kv-heads"})
    input->excludes(command->get_option(name));
  command->add_option("--gate-threshold", options->gateThreshold,
                      "Skip past tiles in which every gate is below it; what they hold lacks in o, or in dq, dk and dv (default: 0, exact)");
  command->add_option("--json", options->json, "File to write the result to, as JSON");
  options->kernel.addTo(*command);
  command->footer(
      fmt::format("Inputs are normal numbers in the device's memory; outputs are poisoned before the first launch and "
                  "up to 64 rows of\n"
                  "3 heads are checked against the float64 oracle (exit code 3 above the tolerance); of a backward some rows of dq\n"
                  "and some blocks of dk and dv.\n"
                  "FLOPs: {} (forward), 2.5 times that (backward).\n\nExamples:\n"
                  "  landmark bench forward --head-dim 128 --block-size 64 --batch 1 --heads 16 --length 16384\n"
                  "  landmark bench forward --heads 32 --kv-heads 8 --length 65536 --query-length 1\n"
                  "  landmark bench forward --device host --length 2048 --head-dim 64 --json host.json\n"
                  "  landmark bench forward --config query_tile=64,stages=3\n"
                  "  landmark bench backward --head-dim 128 --length 16384 --heads 16",
                  flopConvention(Operation::Forward)));
  // A subcommand's options are its own, so the operation is asked for only where there is none.
  command->get_option("operation")->required(false);
  Command decode = addBenchDecode(*command), prefill = addBenchPrefill(*command);
  return {command, [options, decode, prefill, command]() -> Expected<void> {
            for (const Command &retrieval : {decode, prefill})
              if (retrieval.app->parsed())
                return retrieval.run();
            if (options->problem.operation.empty())
              return Error{ErrorCode::InvalidArgument, "operation: got none; allowed: forward, backward, decode, prefill"};
            return bench(*options);
          }};
}

} // namespace landmark::tool
