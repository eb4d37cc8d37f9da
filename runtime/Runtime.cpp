// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Runtime.h"

#include "Assembler.h"
#include "KernelStore.h"
#include "LoadedKernel.h"
#include "Log.h"
#include "RetrievalPlan.h"
#include "SingleFlight.h"
#include "TensorMaps.h"
#include "Tiers.h"
#include "tune/Tuner.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark {

namespace {

constexpr std::size_t keptKernels = 256;

/// What decides a kernel within one Runtime, whose target is fixed, without a look at any file.
struct Request {
  Problem problem;
  std::optional<Config> config;
  LengthClass length = LengthClass::Any; ///< where there is no config
  std::string templateFile, templateDir;
  std::optional<Stage> resumeStage;
  std::string resumeText;
  Tier tier;
  std::vector<std::string> without;

  bool operator==(const Request &) const = default;
};

} // namespace

struct Runtime::State {
  State(Device device, const RuntimeOptions &options)
      : device(std::move(device)), knobs(Knobs::fromEnvironment().with(options)), store(knobs),
        pool(std::make_shared<ThreadPool>(knobs.threads)) {}

  Expected<std::shared_ptr<const LoadedKernel>> build(const Problem &problem, const CompileOptions &options) {
    if (!options.config) { // lengths of one schedule share its kernel
      CompileOptions scheduled = options;
      scheduled.config = chooseConfig(problem, options);
      return get(problem, scheduled);
    }
    KernelRequest request{problem, *options.config, device.target(), options, assemblerOf(device, options)};
    if (startsWithBaseline(request, knobs)) {
      if (auto kept = store.find(request))
        return LoadedKernel::load(std::move(*kept), device, pool);
      if (auto baseline = loadBaseline(request, store, device))
        return baseline;
    }
    auto kernel = store.get(request);
    return kernel ? LoadedKernel::load(std::move(*kernel), device, pool) : kernel.error();
  }

  Expected<std::shared_ptr<const LoadedKernel>> get(const Problem &problem, const CompileOptions &options) {
    if (auto legal = validate(problem); !legal)
      return legal.error();
    CompileOptions complete = knobs.complete(options);
    Request request{problem,
                    complete.config,
                    complete.config ? LengthClass::Any : complete.length,
                    complete.templateFile,
                    complete.templateDir,
                    complete.resumeStage,
                    complete.resumeText,
                    complete.tier,
                    complete.without};
    return kernels.get(request, [&] { return build(problem, complete); });
  }

  /// The handle of a kernel for `problem`, which must be one of `operation`.
  template <typename Handle>
  Expected<Handle> get(Operation operation, const Problem &problem, const CompileOptions &options) {
    if (problem.operation != operation)
      return Error{ErrorCode::InvalidArgument, fmt::format("problem: got one of the {}; asked for is the {}",
                                                           name(problem.operation), name(operation))};
    auto kernel = get(problem, options);
    return kernel ? Expected<Handle>(KernelHandle::of<Handle>(std::move(*kernel))) : kernel.error();
  }

  /// What marks and lists tiles for the kernel of a problem with a gate threshold. What names the kernel that the caller means is not for this one.
  Expected<std::shared_ptr<const LoadedKernel>> getGates(Operation operation, const Problem &problem, const CompileOptions &options) {
    CompileOptions itsOptions;
    itsOptions.templateDir = options.templateDir;
    itsOptions.dumpDir = options.dumpDir;
    itsOptions.reproducerDir = options.reproducerDir;
    return get({operation, problem.blockSize, problem.headDim, problem.dtype}, itsOptions);
  }

  /// What a checked call asks of its kernel: where no config is given, one for its length that can load views of such strides.
  template <typename Arguments>
  Expected<CompileOptions> optionsFor(const Arguments &arguments, CompileOptions options) const {
    if (auto legal = validate(arguments, device); !legal)
      return legal.error();
    if (options.length == LengthClass::Any)
      options.length = lengthClass(arguments.k.shape[2]);
    if (!options.config && !device.isHost() && !checkTensorMaps(arguments)) // ordinary copies alone can follow them
      options.config = defaultConfig(problemOf(arguments), device.target(), options.length, Loads::Async);
    return options;
  }

  /// The schedule where none was asked for. Tuning that fails leaves the shipped default.
  Config chooseConfig(const Problem &problem, const CompileOptions &options) {
    bool known = !knobs.cacheDir.empty() && tune::find(knobs.cacheDir, device, problem, {options.length});
    if (knobs.tune != TuneMode::On || known || knobs.strict)
      return tune::scheduleFor(problem, options.length, device, knobs);
    tune::Options how;
    how.workload = tune::defaultWorkload(problem.operation, device, options.length);
    how.compile = options;
    auto result = measure(problem, how);
    return result ? result->config : defaultConfig(problem, device.target(), options.length);
  }

  /// Tunes, and keeps what was found.
  Expected<TuneResult> measure(const Problem &problem, const tune::Options &how) {
    auto result = tune::tune(device, problem, how, knobs, pool);
    if (!result) {
      Log::get().write("tuning.failed", {{"problem", describe(problem)}, {"reason", result.error().message}});
      return result.error();
    }
    auto saved = knobs.cacheDir.empty() ? Error{ErrorCode::NotFound, "the cache is switched off"}
                                        : tune::save(knobs.cacheDir, device, *result);
    Log::get().write("tuned", {{"problem", describe(problem)},
                               {"config", describe(result->best)},
                               {"seconds", result->seconds},
                               {"not_saved", saved ? "" : saved.error().message}});
    return TuneResult{result->best,       result->finals.front().medianMs, int64_t(result->timings.size()),
                      result->candidates, result->seconds,                  bool(saved)};
  }

  Expected<TuneResult> tune(const Problem &problem, const TuneOptions &options) {
    tune::Options how;
    how.workload = tune::workloadOf(options, problem.operation, device);
    how.exhaustive = options.exhaustive;
    how.seconds = options.seconds;
    how.compile = knobs.complete({});
    auto result = measure(problem, how);
    if (result)
      kernels.forget([&](const Request &request) { return request.problem == problem && !request.config; });
    return result;
  }

  const Device device;
  const Knobs knobs;
  const KernelStore store;
  const std::shared_ptr<ThreadPool> pool;
  SingleFlight<Request, std::shared_ptr<const LoadedKernel>> kernels{keptKernels};
};

Runtime::Runtime(Device device, const RuntimeOptions &options)
    : state(std::make_unique<State>(std::move(device), options)) {}
Runtime::~Runtime() = default;
Runtime::Runtime(Runtime &&) noexcept = default;
Runtime &Runtime::operator=(Runtime &&) noexcept = default;

const Device &Runtime::device() const { return state->device; }

Expected<ForwardKernel> Runtime::forward(const Problem &problem, const CompileOptions &options) {
  if (problem.operation != Operation::ForwardListed)
    return state->get<ForwardKernel>(Operation::Forward, problem, options);
  auto gates = state->getGates(Operation::ForwardGates, problem, options);
  if (!gates)
    return gates.error();
  auto listed = state->get(problem, options);
  return listed ? Expected<ForwardKernel>(ForwardKernel(std::move(*listed), std::move(*gates))) : listed.error();
}

Expected<BackwardKernel> Runtime::backward(const Problem &problem, const CompileOptions &options) {
  if (problem.operation != Operation::BackwardListed)
    return state->get<BackwardKernel>(Operation::Backward, problem, options);
  auto gates = state->getGates(Operation::BackwardGates, problem, options);
  if (!gates)
    return gates.error();
  auto listed = state->get(problem, options);
  if (!listed)
    return listed.error();
  if (addsQueryGradients(problem, (*listed)->kernel.config, (*listed)->kernel.target))
    return BackwardKernel(std::move(*listed), std::move(*gates));
  auto lists = state->getGates(Operation::ForwardGates, problem, options);
  return lists ? Expected<BackwardKernel>(BackwardKernel(std::move(*listed), std::move(*gates), std::move(*lists))) : lists.error();
}

Expected<void> Runtime::settle() {
  Expected<void> first;
  for (const auto &kernel : state->kernels.made())
    if (auto settled = kernel->settle(); !settled && first)
      first = settled;
  return first;
}

Expected<TuneResult> Runtime::tune(const Problem &problem, const TuneOptions &options) {
  return state->tune(problem, options);
}

Expected<std::shared_ptr<const LoadedKernel>> Runtime::kernelFor(const RetrievalPlan &plan, Operation step) {
  CompileOptions options;
  options.config = tune::scheduleFor(plan, step, state->device, state->knobs);
  return state->get(plan.problem(step), options);
}

Expected<ForwardKernel> Runtime::kernelFor(const ForwardArguments &arguments, const CompileOptions &options) {
  auto suitable = state->optionsFor(arguments, options);
  return suitable ? forward(problemOf(arguments), *suitable) : suitable.error();
}

Expected<void> Runtime::forward(const ForwardArguments &arguments, void *stream) {
  auto kernel = kernelFor(arguments, {});
  return kernel ? kernel->launch(arguments, stream) : kernel.error();
}

Expected<PreparedForward> Runtime::prepare(const ForwardArguments &arguments, const CompileOptions &options) {
  auto kernel = kernelFor(arguments, options);
  return kernel ? kernel->prepare(arguments) : kernel.error();
}

Expected<int64_t> Runtime::gateScratchBytes(const ForwardArguments &arguments) {
  auto kernel = kernelFor(arguments, {});
  return kernel ? kernel->gateScratchBytes(arguments) : kernel.error();
}

Expected<GatedTiles> Runtime::gatedTiles(const ForwardArguments &arguments) {
  auto kernel = kernelFor(arguments, {});
  return kernel ? kernel->gatedTiles(arguments) : kernel.error();
}

Expected<BackwardKernel> Runtime::kernelFor(const BackwardArguments &arguments, const CompileOptions &options) {
  auto suitable = state->optionsFor(arguments, options);
  return suitable ? backward(problemOf(arguments), *suitable) : suitable.error();
}

Expected<void> Runtime::backward(const BackwardArguments &arguments, void *stream) {
  auto kernel = kernelFor(arguments, {});
  return kernel ? kernel->launch(arguments, stream) : kernel.error();
}

Expected<int64_t> Runtime::backwardScratchBytes(const BackwardArguments &arguments) {
  auto kernel = kernelFor(arguments, {});
  return kernel ? kernel->scratchBytes(arguments) : kernel.error();
}

Expected<GatedTiles> Runtime::gatedTiles(const BackwardArguments &arguments) {
  auto kernel = kernelFor(arguments, {});
  return kernel ? kernel->gatedTiles(arguments) : kernel.error();
}

Expected<PreparedBackward> Runtime::prepare(const BackwardArguments &arguments, const CompileOptions &options) {
  auto kernel = kernelFor(arguments, options);
  return kernel ? kernel->prepare(arguments) : kernel.error();
}

} // namespace landmark
