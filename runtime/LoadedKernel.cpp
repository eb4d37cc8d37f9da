// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "LoadedKernel.h"

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

} // namespace

LoadedKernel::~LoadedKernel() {
  if (!module)
    return;
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context);
  if (scope.status())
    on.driver->moduleUnload(module);
}

Expected<void> LoadedKernel::load() {
  const DeviceState &on = *device.state();
  const cuda::Driver &driver = *on.driver;
  cuda::ContextScope scope(driver, on.context);
  if (!scope.status())
    return scope.status();
  auto loaded = loadPtx(driver, kernel.ptx);
  if (!loaded)
    return loaded.error();
  module = *loaded;
  for (const Kernel::Function &function : kernel.functions) {
    cuda::Function handle = nullptr;
    if (auto found = driver.check(driver.moduleGetFunction(&handle, module, function.name.c_str()), "cuModuleGetFunction"); !found)
      return found;
    auto set = driver.check(driver.funcSetAttribute(handle, cuda::MaxDynamicSharedBytes, int(function.sharedBytes)),
                            fmt::format("cuFuncSetAttribute of {} bytes of dynamic shared memory", function.sharedBytes));
    if (!set)
      return set;
    functions.push_back(handle);
  }
  return {};
}

Expected<void> LoadedKernel::launch(std::span<const int64_t> programs, void **arguments, void *stream) const {
  if (device.isHost()) {
    if (stream)
      return Error{ErrorCode::InvalidArgument, fmt::format("stream: got {}; on the host it must be null", stream)};
    for (std::size_t i = 0; i < programs.size(); ++i)
      pool->run(programs[i], [&](int64_t program) { kernel.functions[i].hostEntry(arguments, program); });
    return {};
  }
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  if (!scope.status())
    return scope.status();
  for (std::size_t i = 0; i < programs.size(); ++i) {
    if (programs[i] == 0)
      continue;
    int64_t blocks = kernel.config.persistent ? std::min(programs[i], device.multiprocessors()) : programs[i];
    auto launched = driver.check(driver.launchKernel(functions[i], unsigned(blocks), 1, 1, unsigned(kernel.threads), 1, 1,
                                                     unsigned(kernel.functions[i].sharedBytes), static_cast<cuda::StreamHandle>(stream),
                                                     arguments, nullptr),
                                 "cuLaunchKernel");
    if (!launched)
      return launched;
  }
  return {};
}

} // namespace landmark
