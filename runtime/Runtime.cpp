// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Runtime.h"

#include "Knobs.h"
#include "LoadedKernel.h"
#include "SingleFlight.h"
#include "TensorMaps.h"

#include <tuple>

namespace landmark {

namespace {

/// What decides a kernel's code within one Runtime, whose target is fixed.
struct Key {
  Problem problem;
  Config config;
  std::string templateFile, templateDir;
  std::optional<Stage> resumeStage;
  std::string resumeText;

  auto fields() const {
    return std::tie(problem.operation, problem.blockSize, problem.headDim, problem.dtype, problem.topK, config, templateFile, templateDir, resumeStage, resumeText);
  }
  bool operator<(const Key &other) const { return fields() < other.fields(); }
};

} // namespace

struct Runtime::State {
  explicit State(Device device) : device(std::move(device)), pool(std::make_shared<ThreadPool>(knobs.threads)) {}

  Expected<std::shared_ptr<const LoadedKernel>> build(const Problem &problem, const CompileOptions &options) {
    auto kernel = Compiler().compile(problem, device.target(), options);
    if (!kernel)
      return kernel.error();
    auto built = std::make_shared<LoadedKernel>(std::move(*kernel), device, pool);
    if (auto loaded = built->load(); !loaded)
      return loaded.error();
    return std::shared_ptr<const LoadedKernel>(std::move(built));
  }

  const Device device;
  const Knobs knobs = Knobs::fromEnvironment();
  const std::shared_ptr<ThreadPool> pool;
  SingleFlight<Key, std::shared_ptr<const LoadedKernel>> kernels;
};

Runtime::Runtime(Device device) : state(std::make_unique<State>(std::move(device))) {}
Runtime::~Runtime() = default;
Runtime::Runtime(Runtime &&) noexcept = default;
Runtime &Runtime::operator=(Runtime &&) noexcept = default;

const Device &Runtime::device() const { return state->device; }

Expected<ForwardKernel> Runtime::forward(const Problem &problem, const CompileOptions &options) {
  if (problem.operation != Operation::Forward)
    return Error{ErrorCode::InvalidArgument, "operation: got a step of retrieval; a ForwardKernel computes forward"};
  auto kernel = kernelFor(problem, options);
  if (!kernel)
    return kernel.error();
  return ForwardKernel(std::move(*kernel));
}

Expected<std::shared_ptr<const LoadedKernel>> Runtime::kernelFor(const Problem &problem, const CompileOptions &options) {
  if (auto legal = validate(problem); !legal)
    return legal.error();
  CompileOptions complete = state->knobs.complete(options);
  if (!complete.config)
    complete.config = defaultConfig(problem, state->device.target());
  Key key{problem,
          *complete.config,
          complete.templateFile,
          complete.templateDir,
          complete.resumeStage,
          complete.resumeText};
  return state->kernels.get(key, [&] { return state->build(problem, complete); });
}

Expected<void> Runtime::forward(const ForwardArguments &arguments, void *stream) {
  if (auto legal = validate(arguments, state->device); !legal)
    return legal;
  Problem problem = problemOf(arguments);
  CompileOptions options;
  if (!checkTensorMaps(arguments)) // strides that only ordinary copies can follow
    options.config = defaultConfig(problem, state->device.target(), Loads::Async);
  auto kernel = forward(problem, options);
  if (!kernel)
    return kernel.error();
  return kernel->launch(arguments, stream);
}

} // namespace landmark
