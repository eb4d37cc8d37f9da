// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "LoadedKernel.h"

#include "Log.h"
#include "Remarks.h"
#include "cuda/Assemble.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark {

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
  auto loaded = cuda::load(driver, kernel.cubin.empty() ? kernel.ptx : kernel.cubin);
  if (!loaded && !kernel.cubin.empty()) {
    // Machine code of a newer toolkit than the driver's, perhaps.
    Log::get().write("cubin.refused", {{"reason", loaded.error().message}});
    loaded = cuda::load(driver, kernel.ptx);
  }
  if (!loaded)
    return loaded.error();
  module = *loaded;
  auto found = driver.check(driver.moduleGetFunction(&function, module, kernel.name.c_str()), "cuModuleGetFunction");
  if (!found)
    return found;
  logRemarks(driver);
  return driver.check(driver.funcSetAttribute(function, cuda::MaxDynamicSharedBytes, int(kernel.sharedBytes)),
                      fmt::format("cuFuncSetAttribute of {} bytes of dynamic shared memory", kernel.sharedBytes));
}

void LoadedKernel::logRemarks(const cuda::Driver &driver) const {
  if (!Log::get().on())
    return;
  int registers = 0, localBytes = 0;
  driver.funcGetAttribute(&registers, cuda::Registers, function);
  driver.funcGetAttribute(&localBytes, cuda::LocalBytes, function);
  ResourceUse use;
  use.registers = registers;
  use.stackBytes = localBytes;
  Log::get().write("loaded", {{"problem", describe(kernel.problem)},
                              {"config", describe(kernel.config)},
                              {"registers", registers},
                              {"local_bytes", localBytes},
                              {"remarks", remarks(kernel, use)}});
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
  int64_t blocks = kernel.config.persistent ? std::min(programs, device.multiprocessors()) : programs;
  return driver.check(driver.launchKernel(function, unsigned(blocks), 1, 1, unsigned(kernel.threads), 1, 1,
                                          unsigned(kernel.sharedBytes), static_cast<cuda::StreamHandle>(stream),
                                          arguments, nullptr),
                      "cuLaunchKernel");
}

} // namespace landmark
