// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "LoadedKernel.h"

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
  if (device.isHost())
    return {};
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

Expected<void> LoadedKernel::launch(int64_t programs, void **arguments, void *stream) const {
  if (device.isHost() && stream)
    return Error{ErrorCode::InvalidArgument, fmt::format("stream: got {}; on the host it must be null", stream)};
  if (programs == 0)
    return {};
  if (device.isHost()) {
    pool->run(programs, [&](int64_t program) { kernel.hostEntry(arguments, program); });
    return {};
  }
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  if (!scope.status())
    return scope.status();
  return driver.check(driver.launchKernel(function, unsigned(programs), 1, 1, unsigned(kernel.threads), 1, 1,
                                          unsigned(kernel.sharedBytes), static_cast<cuda::StreamHandle>(stream),
                                          arguments, nullptr),
                      "cuLaunchKernel");
}

} // namespace landmark
