// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Runtime.h"

#include "BackwardKernel.h"
#include "ForwardKernel.h"
#include "Knobs.h"
#include "SingleFlight.h"
#include "TensorMaps.h"

#include <fmt/format.h>

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
    return std::tie(problem.operation, problem.blockSize, problem.headDim, problem.dtype, problem.floatGradients, config, templateFile,
                    templateDir, resumeStage, resumeText);
  }
  bool operator<(const Key &other) const { return fields() < other.fields(); }
};

} // namespace

struct Runtime::State {
  explicit State(Device device) : device(std::move(device)), pool(std::make_shared<ThreadPool>(knobs.threads)) {}

  /// The kernel of an operation, as the `State` of the class that launches it.
  template <typename State> Expected<std::shared_ptr<const LoadedKernel>> build(const Problem &problem, const CompileOptions &options) {
    auto kernel = Compiler().compile(problem, device.target(), options);
    if (!kernel)
      return kernel.error();
    auto built = std::make_shared<State>(std::move(*kernel), device, pool);
    if (!device.isHost())
      if (auto loaded = built->load(); !loaded)
        return loaded.error();
    return std::shared_ptr<const LoadedKernel>(std::move(built));
  }

  /// The kernel for `problem`, which must be one of `operation`.
  template <typename State>
  Expected<std::shared_ptr<const State>> get(Operation operation, const Problem &problem, const CompileOptions &options) {
    if (auto legal = validate(problem); !legal)
      return legal.error();
    if (problem.operation != operation)
      return Error{ErrorCode::InvalidArgument, fmt::format("problem: got one of the {}; asked for is the {}", name(problem.operation), name(operation))};
    CompileOptions complete = knobs.complete(options);
    if (!complete.config)
      complete.config = defaultConfig(problem, device.target());
    Key key{problem, *complete.config, complete.templateFile, complete.templateDir, complete.resumeStage, complete.resumeText};
    auto found = kernels.get(key, [&] { return build<State>(problem, complete); });
    if (!found)
      return found.error();
    return std::static_pointer_cast<const State>(*found);
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
  auto kernel = state->get<ForwardKernel::State>(Operation::Forward, problem, options);
  return kernel ? Expected<ForwardKernel>(ForwardKernel(std::move(*kernel))) : kernel.error();
}

Expected<BackwardKernel> Runtime::backward(const Problem &problem, const CompileOptions &options) {
  auto kernel = state->get<BackwardKernel::State>(Operation::Backward, problem, options);
  return kernel ? Expected<BackwardKernel>(BackwardKernel(std::move(*kernel))) : kernel.error();
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

Expected<void> Runtime::backward(const BackwardArguments &arguments, void *stream) {
  if (auto legal = validate(arguments, state->device); !legal)
    return legal;
  auto kernel = backward(problemOf(arguments));
  if (!kernel)
    return kernel.error();
  return kernel->launch(arguments, stream);
}

} // namespace landmark
