// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "LoadedKernel.h"

#include "Assembler.h"
#include "Log.h"
#include "Remarks.h"
#include "Trace.h"
#include "cuda/Assemble.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark {

/// Blocks of a grid that runs `programs`: the first ones several each, the last ones one each, as many as balance the multiprocessors' loads.
static int64_t blocksOf(int64_t programs, const Config &config, int64_t multiprocessors) {
  constexpr int64_t rounds = 4;
  int64_t full = std::max<int64_t>(0, programs - rounds * multiprocessors) / config.programs;
  return programs - full * (config.programs - 1);
}

Expected<std::shared_ptr<const LoadedKernel>> LoadedKernel::load(Kernel kernel, const Device &device,
                                                                 std::shared_ptr<ThreadPool> pool, bool awaitsSuccessor) {
  std::shared_ptr<LoadedKernel> made(new LoadedKernel(std::move(kernel), device, std::move(pool), awaitsSuccessor));
  if (!device.isHost())
    if (auto loaded = made->load(); !loaded)
      return loaded.error();
  return std::shared_ptr<const LoadedKernel>(std::move(made));
}

LoadedKernel::~LoadedKernel() {
  if (successor)
    successor->abandon();
  if (!module)
    return;
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context);
  if (scope.status())
    on.driver->moduleUnload(module);
}

Expected<void> LoadedKernel::load() {
  TraceRange range([&] { return fmt::format("landmark: load {}", describe(kernel.problem)); });
  const DeviceState &on = *device.state();
  const cuda::Driver &driver = *on.driver;
  cuda::ContextScope scope(driver, on.context);
  if (!scope.status())
    return scope.status();
  auto start = std::chrono::steady_clock::now();
  auto loaded = cuda::load(driver, kernel.cubin.empty() ? kernel.ptx : kernel.cubin);
  if (!loaded && !kernel.cubin.empty()) {
    // Machine code of a newer toolkit than the driver's, perhaps.
    Log::get().write("cubin.refused", {{"reason", loaded.error().message}});
    loaded = cuda::load(driver, kernel.ptx);
  }
  if (!loaded)
    return loaded.error();
  module = *loaded;
  for (const Kernel::Function &function : kernel.functions) {
    cuda::Function handle = nullptr;
    auto done =
        driver.check(driver.moduleGetFunction(&handle, module, function.name.c_str()), "cuModuleGetFunction");
    if (done)
      done = driver.check(
          driver.funcSetAttribute(handle, cuda::MaxDynamicSharedBytes, int(function.sharedBytes)),
          fmt::format("cuFuncSetAttribute of {} bytes of dynamic shared memory", function.sharedBytes));
    int registers = 0;
    if (done && movesRegisters(kernel) && driver.funcGetAttribute(&registers, cuda::Registers, handle) == cuda::success)
      done = checkRegisters(kernel, function, registers);
    if (!done)
      return done;
    functions.push_back(handle);
  }
  logRemarks(driver, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  return {};
}

void LoadedKernel::logRemarks(const cuda::Driver &driver, double milliseconds) const {
  if (!Log::get().on())
    return;
  std::vector<ResourceUse> uses;
  nlohmann::ordered_json shown = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < functions.size(); ++i) {
    int registers = 0, localBytes = 0;
    driver.funcGetAttribute(&registers, cuda::Registers, functions[i]);
    driver.funcGetAttribute(&localBytes, cuda::LocalBytes, functions[i]);
    ResourceUse use;
    use.function = kernel.functions[i].name;
    use.registers = registers;
    use.stackBytes = localBytes;
    use.dynamicSharedBytes = kernel.functions[i].sharedBytes;
    shown[use.function] = {{"registers", registers}, {"local_bytes", localBytes}};
    uses.push_back(std::move(use));
  }
  std::vector<std::string> said = remarks(kernel, uses);
  if (kernel.cubin.empty())
    said.push_back("assembled by the driver, in every process anew where the driver's own cache has it not: there is no "
                   "ptxas, and the driver's linker would ignore setmaxnreg");
  Log::get().write("loaded", {{"problem", describe(kernel.problem)},
                              {"config", describe(kernel.config)},
                              {"tier", name(kernel.tier)},
                              {"milliseconds", milliseconds},
                              {"functions", shown},
                              {"remarks", said}});
}

const Kernel &LoadedKernel::current() const {
  const LoadedKernel *optimized = successor ? successor->get() : nullptr;
  return optimized ? optimized->kernel : kernel;
}

const LoadedKernel *LoadedKernel::successorFor(void *stream) const {
  if (!successor)
    return nullptr;
  if (const LoadedKernel *optimized = successor->get())
    return optimized;
  int status = cuda::NoCapture;
  if (!device.isHost())
    device.state()->driver->streamIsCapturing(static_cast<cuda::StreamHandle>(stream), &status);
  if (status != cuda::NoCapture)
    (void)successor->wait(); // what went wrong is in the log; the baseline does then
  return successor->get();
}

Expected<void> LoadedKernel::launch(std::span<const int64_t> programs, void **arguments, void *stream, int64_t cluster) const {
  if (auto legal = checkStream(device, stream); !legal)
    return legal;
  if (const LoadedKernel *optimized = successorFor(stream))
    return optimized->launch(programs, arguments, stream, cluster);
  TraceRange range(kernel.name.c_str());
  if (device.isHost()) {
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
    int64_t blocks = blocksOf(programs[i], kernel.config, device.multiprocessors());
    std::array<cuda::LaunchAttribute, 2> attributes;
    unsigned attributeCount = 0;
    if (kernel.functions[i].waitsForGrid)
      attributes[attributeCount++] = {cuda::ProgrammaticStreamSerialization, {}, {.value = 1}};
    if (cluster > 1)
      attributes[attributeCount++] = {cuda::ClusterDimension, {}, {.cluster = {unsigned(cluster), 1, 1}}};
    cuda::LaunchConfig config{unsigned(blocks),
                              1,
                              1,
                              unsigned(kernel.functions[i].threads),
                              1,
                              1,
                              unsigned(kernel.functions[i].sharedBytes),
                              static_cast<cuda::StreamHandle>(stream),
                              attributes.data(),
                              attributeCount};
    if (auto launched = driver.check(driver.launchKernelEx(&config, functions[i], arguments, nullptr), "cuLaunchKernelEx");
        !launched)
      return launched;
  }
  return {};
}

Expected<void> checkFits(const Problem &needed, const Kernel &kernel) {
  if (needed == kernel.problem)
    return {};
  return Error{ErrorCode::InvalidArgument, fmt::format("arguments: got those of '{}'; this kernel computes '{}'",
                                                       describe(needed), describe(kernel.problem))};
}

Expected<void> checkStream(const Device &device, void *stream) {
  if (device.isHost() && stream)
    return Error{ErrorCode::InvalidArgument, fmt::format("stream: got {}; on the host it must be null", stream)};
  return {};
}

} // namespace landmark
