// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ForwardKernel.h"

#include "Launch.h"
#include "compiler/Driver/Ptxas.h"
#include "Log.h"
#include "Remarks.h"
#include "TensorMaps.h"
#include "cuda/Assemble.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark {

namespace {

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

void ForwardKernel::State::logRemarks(const cuda::Driver &driver) const {
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

Expected<ForwardKernel> ForwardLoader::load(Kernel kernel, const Device &device, std::shared_ptr<ThreadPool> pool) {
  auto made = std::make_shared<ForwardKernel::State>(std::move(kernel), device, std::move(pool));
  if (!device.isHost())
    if (auto loaded = made->load(); !loaded)
      return loaded.error();
  return ForwardKernel(std::move(made));
}

const Kernel &ForwardKernel::kernel() const { return shared->kernel; }
const Device &ForwardKernel::device() const { return shared->device; }

Expected<void> ForwardKernel::State::launch(PackedArguments &packed, int64_t programs, void *stream) const {
  if (device.isHost()) {
    pool->run(programs, [&](int64_t program) { kernel.hostEntry(packed.pointers(), program); });
    return {};
  }
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  if (!scope.status())
    return scope.status();
  int64_t blocks = kernel.config.persistent ? std::min(programs, device.multiprocessors()) : programs;
  return driver.check(driver.launchKernel(function, unsigned(blocks), 1, 1, unsigned(kernel.threads), 1, 1,
                                          unsigned(kernel.sharedBytes), static_cast<cuda::StreamHandle>(stream),
                                          packed.pointers(), nullptr),
                      "cuLaunchKernel");
}

namespace {

Expected<void> checkStream(const Device &device, void *stream) {
  if (device.isHost() && stream)
    return Error{ErrorCode::InvalidArgument, fmt::format("stream: got {}; on the host it must be null", stream)};
  return {};
}

/// Judges a call and counts its programs.
Expected<int64_t> check(const ForwardArguments &arguments, const Kernel &kernel, const Device &device) {
  if (auto legal = validate(arguments, device); !legal)
    return legal.error();
  if (auto fits = checkFits(arguments, kernel); !fits)
    return fits.error();
  if (!kernel.tensorMaps.empty())
    if (auto described = checkTensorMaps(arguments); !described)
      return described.error();
  return launchPrograms(arguments, kernel.config);
}

Expected<void> encodeMaps(PackedArguments &packed, const Kernel &kernel, const Device &device,
                          const ForwardArguments &arguments) {
  if (kernel.tensorMaps.empty())
    return {};
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context); // the driver encodes for the current one
  return scope.status() ? packed.encodeMaps(*on.driver, kernel.tensorMaps, arguments) : scope.status();
}

/// What can be judged of a pointer in no time. `elements` says whether the tensor has any.
Expected<void> checkPointer(const char *name, const void *data, bool elements, int64_t elementBytes) {
  if (elements && !data)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{}: got a null pointer; only an empty tensor may have none", name)};
  if (reinterpret_cast<std::uintptr_t>(data) % std::uintptr_t(elementBytes) != 0)
    return Error{
        ErrorCode::InvalidArgument,
        fmt::format("{}: got data at {}; it must be aligned to the element's {} bytes", name, data, elementBytes)};
  return {};
}

template <std::size_t Rank> bool hasElements(const std::array<int64_t, Rank> &shape) {
  return std::find(shape.begin(), shape.end(), 0) == shape.end();
}

} // namespace

Expected<void> ForwardKernel::launch(const ForwardArguments &arguments, void *stream) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  if (auto legal = checkStream(shared->device, stream); !legal || *programs == 0)
    return legal;
  PackedArguments packed(arguments, sectionOf(arguments, shared->device));
  if (auto encoded = encodeMaps(packed, shared->kernel, shared->device, arguments); !encoded)
    return encoded;
  return shared->launch(packed, *programs, stream);
}

Expected<PreparedForward> ForwardKernel::prepare(const ForwardArguments &arguments) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  auto prepared =
      std::make_shared<PreparedForward::State>(shared, arguments, *programs, sectionOf(arguments, shared->device));
  if (*programs > 0)
    if (auto encoded = encodeMaps(prepared->packed, shared->kernel, shared->device, arguments); !encoded)
      return encoded.error();
  return PreparedForward(std::move(prepared));
}

Expected<void> PreparedForward::launch(void *stream) const {
  const ForwardKernel::State &kernel = *shared->kernel;
  if (auto legal = checkStream(kernel.device, stream); !legal || shared->programs == 0)
    return legal;
  return kernel.launch(shared->packed, shared->programs, stream);
}

Expected<void> PreparedForward::launch(const ForwardPointers &pointers, void *stream) const {
  const ForwardKernel::State &kernel = *shared->kernel;
  if (auto legal = checkStream(kernel.device, stream); !legal || shared->programs == 0)
    return legal;
  ForwardArguments arguments = shared->arguments;
  int64_t bytes = byteSize(arguments.q.dtype);
  for (auto [name, view, data] : {std::tuple{"q", &arguments.q, pointers.q},
                                  {"k", &arguments.k, pointers.k},
                                  {"v", &arguments.v, pointers.v},
                                  {"o", &arguments.o, pointers.o}}) {
    if (auto legal = checkPointer(name, data, hasElements(view->shape), bytes); !legal)
      return legal;
    view->data = data;
  }
  if (auto legal = checkPointer("lse", pointers.lse, hasElements(arguments.lse.shape), sizeof(float)); !legal)
    return legal;
  arguments.lse.data = pointers.lse;
  PackedArguments packed(arguments, shared->section);
  if (const auto &maps = kernel.kernel.tensorMaps; !maps.empty()) {
    if (auto described = checkTensorMaps(arguments); !described)
      return described;
    if (auto moved = packed.moveMaps(*kernel.device.state()->driver, maps, arguments, shared->packed); !moved)
      return moved;
  }
  return kernel.launch(packed, shared->programs, stream);
}

std::function<Expected<Cubin>(const Kernel &)> assemblerOf(const Device &device) {
  if (device.isHost())
    return {};
  return [device](const Kernel &kernel) -> Expected<Cubin> {
    const DeviceState &on = *device.state();
    cuda::ContextScope scope(*on.driver, on.context);
    if (!scope.status())
      return scope.status().error();
    // The driver's linker assembles relocatable code, in which a kernel cannot hand registers from one warp to another: half the speed.
    if (auto assembled = assemble(kernel.ptx, kernel.target.chip))
      return Cubin{std::move(assembled->cubin), "ptxas"};
    auto code = cuda::assemble(*on.driver, kernel.ptx);
    if (!code)
      return code.error();
    return Cubin{std::move(*code), cuda::describeDriver(*on.driver)};
  };
}

} // namespace landmark
