// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ForwardKernel.h"

#include "Launch.h"
#include "TensorMaps.h"

#include <algorithm>
#include <fmt/format.h>

namespace landmark {

namespace {

constexpr std::size_t logBytes = 16384;

Expected<cuda::Module> loadPtx(const cuda::Driver &driver, const std::string &ptx) {
  std::string log(logBytes, '\0');
  int options[] = {cuda::ErrorLogBuffer, cuda::ErrorLogBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(logBytes)};
  cuda::Module module = nullptr;
  cuda::Result result = driver.moduleLoadDataEx(&module, ptx.c_str(), 2, options, values);
  if (auto loaded = driver.check(result, "cuModuleLoadDataEx"); !loaded) {
    Error error = loaded.error();
    if (log[0])
      error.notes.push_back(log.c_str());
    return error;
  }
  return module;
}

Expected<void> checkFits(const ForwardArguments &arguments, const Kernel &kernel) {
  Problem needed = problemOf(arguments);
  if (needed == kernel.problem)
    return {};
  return Error{ErrorCode::InvalidArgument, fmt::format("arguments: got those of '{}'; this kernel computes '{}'",
                                                       describe(needed), describe(kernel.problem))};
}

} // namespace

ForwardKernel::State::~State() {
  if (!module)
    return;
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context);
  if (scope.status())
    on.driver->moduleUnload(module);
}

Expected<void> ForwardKernel::State::load() {
  const DeviceState &on = *device.state();
  const cuda::Driver &driver = *on.driver;
  cuda::ContextScope scope(driver, on.context);
  if (!scope.status())
    return scope.status();
  auto loaded = loadPtx(driver, kernel.ptx);
  if (!loaded)
    return loaded.error();
  module = *loaded;
  auto found = driver.check(driver.moduleGetFunction(&function, module, kernel.name.c_str()), "cuModuleGetFunction");
  if (!found)
    return found;
  return driver.check(driver.funcSetAttribute(function, cuda::MaxDynamicSharedBytes, int(kernel.sharedBytes)),
                      fmt::format("cuFuncSetAttribute of {} bytes of dynamic shared memory", kernel.sharedBytes));
}

const Kernel &ForwardKernel::kernel() const { return shared->kernel; }
const Device &ForwardKernel::device() const { return shared->device; }

Expected<void> ForwardKernel::launch(const ForwardArguments &arguments, void *stream) const {
  const Kernel &kernel = shared->kernel;
  const Device &device = shared->device;
  if (auto legal = validate(arguments, device); !legal)
    return legal;
  if (auto fits = checkFits(arguments, kernel); !fits)
    return fits;
  if (device.isHost() && stream)
    return Error{ErrorCode::InvalidArgument, fmt::format("stream: got {}; on the host it must be null", stream)};
  if (!kernel.tensorMaps.empty())
    if (auto described = checkTensorMaps(arguments); !described)
      return described;
  auto programs = launchPrograms(arguments, kernel.config);
  if (!programs)
    return programs.error();
  if (*programs == 0)
    return {};
  PackedArguments packed(arguments, sectionOf(arguments, device));
  if (device.isHost()) {
    shared->pool->run(*programs, [&](int64_t program) { kernel.hostEntry(packed.pointers(), program); });
    return {};
  }
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  if (!scope.status())
    return scope.status();
  if (auto encoded = packed.encodeMaps(driver, kernel.tensorMaps, arguments); !encoded)
    return encoded;
  int64_t blocks = kernel.config.persistent ? std::min(*programs, device.multiprocessors()) : *programs;
  return driver.check(driver.launchKernel(shared->function, unsigned(blocks), 1, 1, unsigned(kernel.threads), 1, 1,
                                          unsigned(kernel.sharedBytes), static_cast<cuda::StreamHandle>(stream),
                                          packed.pointers(), nullptr),
                      "cuLaunchKernel");
}

} // namespace landmark
