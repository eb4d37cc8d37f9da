// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark bench: a kernel's speed on random inputs, checked.
#include "BenchDecode.h"
#include "Command.h"
#include "Knobs.h"
#include "Random.h"
#include "ThreadPool.h"
#include "Timing.h"
#include "Verify.h"
#include "landmark/Version.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark::tool {

namespace {

constexpr const char *flopConvention = "4 * batch * heads * pairs * D, pairs = queries * (keys - queries / 2)";

struct Options {
  ProblemOptions problem;
  KernelOptions kernel;
  int64_t batch = 1, heads = 16, length = 4096;
  std::optional<int64_t> kvHeads, queryLength;
  int64_t phase = 0;
  std::string device = "auto", json;
  int repeats = 50;
  uint64_t seed = 1;
};

struct Result {
  Problem problem;
  Config config;
  double compileMs = 0, medianMs = 0, minMs = 0, tflops = 0;
  Errors errors;
};

/// Normal numbers; the same for a seed however many threads draw them.
HostTensor randomTensor(DType dtype, std::vector<int64_t> shape, uint64_t seed) {
  HostTensor tensor = HostTensor::zeros(dtype, shape);
  int64_t parts = shape[0] * shape[1], each = shape[2] * shape[3], size = byteSize(dtype);
  ThreadPool(Knobs::fromEnvironment().threads).run(parts, [&](int64_t part) {
    Random random(seed * 1000003 + uint64_t(part));
    std::byte *element = tensor.bytes.data() + part * each * size;
    for (int64_t i = 0; i < each; ++i, element += size)
      fromDouble(random.normal(), element, dtype);
  });
  return tensor;
}

Expected<void> checkMemory(const Options &options, const Problem &problem, int64_t kvHeads, int64_t queries) {
  double rows =
      double(options.batch) * (double(options.heads) * double(queries) + double(kvHeads) * double(options.length));
  double needed = 2 * rows * double(problem.headDim * byteSize(problem.dtype)),
         available = double(Device::host().memoryBytes());
  if (needed <= available)
    return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("--batch, --heads, --length: these tensors take {:.1f} GiB; the host, "
                           "where they are drawn and checked, has {:.1f} GiB",
                           needed / (1 << 30), available / (1 << 30))};
}

Expected<Inputs> drawInputs(const Options &options, const Problem &problem) {
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
Expected<std::vector<double>> measure(const ForwardKernel &kernel, const ForwardArguments &arguments, int repeats) {
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
  return 4.0 * double(options.batch) * double(options.heads) * pairs * double(problem.headDim) / (milliseconds * 1e-3) /
         1e12;
}

Expected<Result> benchmark(const Options &options, const Problem &problem, const Device &device) {
  auto compileOptions = options.kernel.parse(problem, device.target());
  if (!compileOptions)
    return compileOptions.error();
  auto inputs = drawInputs(options, problem);
  if (!inputs)
    return inputs.error();
  auto space = Workspace::create(device, *inputs);
  if (!space)
    return space.error();
  Runtime runtime(device);
  Stopwatch compiling;
  auto kernel = runtime.forward(problem, *compileOptions);
  if (!kernel)
    return kernel.error();
  Result result{problem, kernel->kernel().config, compiling.milliseconds(), 0, 0, 0, {}};
  if (auto done = space->poison(); !done)
    return done.error();
  auto times = measure(*kernel, space->arguments(), options.repeats);
  if (!times)
    return times.error();
  result.medianMs = median(*times);
  result.minMs = *std::min_element(times->begin(), times->end());
  result.tflops = teraflops(options, problem, result.medianMs);
  auto outputs = space->download();
  if (!outputs)
    return outputs.error();
  result.errors = compareSample(*inputs, *outputs);
  return result;
}

Expected<void> writeJson(const Options &options, const Device &device, const Result &result) {
  Tolerance tolerance = toleranceFor(result.problem.dtype, device.target().kind);
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
      {"min_ms", result.minMs},
      {"tflops", result.tflops},
      {"flop_convention", flopConvention},
      {"relative_error", result.errors.o},
      {"relative_error_lse", result.errors.lse},
      {"tolerance", tolerance.o},
      {"tolerance_lse", tolerance.lse},
  };
  return writeFile(options.json, json.dump(2) + "\n");
}

Expected<void> bench(const Options &options) {
  auto problem = options.problem.parse();
  if (!problem)
    return problem.error();
  if (auto allowed = requireForward(problem->operation); !allowed)
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
  fmt::print("median {:.4f} ms, fastest {:.4f} ms of {}: {:.4g} TFLOP/s\n({})\n", result->medianMs, result->minMs,
             options.repeats, result->tflops, flopConvention);
  if (!options.json.empty())
    if (auto written = writeJson(options, *device, *result); !written)
      return written;
  return judge(result->errors, "the float64 oracle on sampled rows", problem->dtype, *device);
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
  command->add_option("--json", options->json, "File to write the result to, as JSON");
  options->kernel.addTo(*command);
  command->footer(
      fmt::format("Inputs are normal numbers in the device's memory; outputs are poisoned before the first launch and "
                  "up to 64 rows of\n"
                  "3 heads are checked against the float64 oracle (exit code 3 above the tolerance).\n"
                  "FLOPs: {}.\n\nExamples:\n"
                  "  landmark bench forward --head-dim 128 --block-size 64 --batch 1 --heads 16 --length 16384\n"
                  "  landmark bench forward --heads 32 --kv-heads 8 --length 65536 --query-length 1\n"
                  "  landmark bench forward --device host --length 2048 --head-dim 64 --json host.json\n"
                  "  landmark bench forward --config query_tile=64,stages=3",
                  flopConvention));
  // A subcommand's options are its own, so the operation is asked for only where there is none.
  command->get_option("operation")->required(false);
  Command decode = addBenchDecode(*command);
  return {command, [options, decode, command]() -> Expected<void> {
            if (decode.app->parsed())
              return decode.run();
            if (options->problem.operation.empty())
              return Error{ErrorCode::InvalidArgument, "operation: got none; allowed: forward, decode"};
            return bench(*options);
          }};
}

} // namespace landmark::tool
