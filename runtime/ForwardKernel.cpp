// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ForwardKernel.h"

#include "Launch.h"
#include "TensorMaps.h"
#include "cuda/Assemble.h"

#include <algorithm>
#include <fmt/format.h>

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

Expected<ForwardKernel> ForwardLoader::load(Kernel kernel, const Device &device, std::shared_ptr<ThreadPool> pool) {
  auto made = std::make_shared<ForwardKernel::State>(std::move(kernel), device, std::move(pool));
  if (auto loaded = made->load(); !loaded)
    return loaded.error();
  return ForwardKernel(std::move(made));
}

const Kernel &ForwardKernel::kernel() const { return shared->kernel; }
const Device &ForwardKernel::device() const { return shared->device; }

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
  return packed.encodeMaps(*device.state()->driver, kernel.tensorMaps, arguments);
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
    auto code = cuda::assemble(*on.driver, kernel.ptx);
    if (!code)
      return code.error();
    return Cubin{std::move(*code), cuda::describeDriver(*on.driver)};
  };
}

} // namespace landmark
