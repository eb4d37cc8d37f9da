// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Runtime.h"

#include "ForwardKernel.h"
#include "KernelStore.h"
#include "SingleFlight.h"

namespace landmark {

namespace {

constexpr std::size_t keptKernels = 256;

/// What decides a kernel within one Runtime, whose target is fixed, without a look at any file.
struct Request {
  Problem problem;
  std::optional<Config> config;
  std::string templateFile, templateDir;
  std::optional<Stage> resumeStage;
  std::string resumeText;

  bool operator==(const Request &) const = default;
};

} // namespace

struct Runtime::State {
  State(Device device, const RuntimeOptions &options)
      : device(std::move(device)), knobs(Knobs::fromEnvironment().with(options)), store(knobs),
        pool(std::make_shared<ThreadPool>(knobs.threads)) {}

  Expected<ForwardKernel> build(const Problem &problem, const CompileOptions &options) {
    const Target &target = device.target();
    Config config = options.config.value_or(defaultConfig(problem, target));
    auto kernel = store.get({problem, config, target, options, assemblerOf(device)});
    if (!kernel)
      return kernel.error();
    auto built = std::make_shared<ForwardKernel::State>(std::move(*kernel), device, pool);
    if (!device.isHost())
      if (auto loaded = built->load(); !loaded)
        return loaded.error();
    return ForwardKernel(std::move(built));
  }

  const Device device;
  const Knobs knobs;
  const KernelStore store;
  const std::shared_ptr<ThreadPool> pool;
  SingleFlight<Request, ForwardKernel> kernels{keptKernels};
};

Runtime::Runtime(Device device, const RuntimeOptions &options)
    : state(std::make_unique<State>(std::move(device), options)) {}
Runtime::~Runtime() = default;
Runtime::Runtime(Runtime &&) noexcept = default;
Runtime &Runtime::operator=(Runtime &&) noexcept = default;

const Device &Runtime::device() const { return state->device; }

Expected<ForwardKernel> Runtime::forward(const Problem &problem, const CompileOptions &options) {
  if (auto legal = validate(problem); !legal)
    return legal.error();
  CompileOptions complete = state->knobs.complete(options);
  Request request{
      problem, complete.config, complete.templateFile, complete.templateDir, complete.resumeStage, complete.resumeText};
  return state->kernels.get(request, [&] { return state->build(problem, complete); });
}

Expected<void> Runtime::forward(const ForwardArguments &arguments, void *stream) {
  if (auto legal = validate(arguments, state->device); !legal)
    return legal;
  auto kernel = forward(problemOf(arguments));
  if (!kernel)
    return kernel.error();
  return kernel->launch(arguments, stream);
}

} // namespace landmark
