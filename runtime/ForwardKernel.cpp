// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"
#include "TensorMaps.h"

#include <algorithm>
#include <fmt/format.h>

namespace landmark {

/// A call ready to go.
struct PreparedForward::State {
  State(std::shared_ptr<const LoadedKernel> kernel, const ForwardArguments &arguments, int64_t programs,
        int64_t section)
      : kernel(std::move(kernel)), arguments(arguments), programs(programs), section(section),
        packed(arguments, section) {}

  std::shared_ptr<const LoadedKernel> kernel;
  ForwardArguments arguments;
  int64_t programs, section;
  mutable PackedArguments packed; ///< only ever read: what takes pointers to it does not say so
};

namespace {

/// Judges a call and counts its programs.
Expected<int64_t> check(const ForwardArguments &arguments, const Kernel &kernel, const Device &device) {
  if (auto legal = validate(arguments, device); !legal)
    return legal.error();
  if (auto fits = checkFits(problemOf(arguments), kernel); !fits)
    return fits.error();
  return launchPrograms(arguments, kernel.config);
}

/// Gives the tensor maps that the kernel takes, if any, to a call: encoded, or made of those of a call with the same
/// shapes and strides. Not all views can be described by one.
Expected<void> addMaps(PackedArguments &packed, const LoadedKernel &kernel, const ForwardArguments &arguments,
                       const PackedArguments *encoded = nullptr) {
  const std::vector<TensorMap> &maps = kernel.kernel.tensorMaps;
  if (maps.empty())
    return {};
  if (auto described = checkTensorMaps(arguments); !described)
    return described;
  const DeviceState &on = *kernel.device.state();
  cuda::ContextScope scope(*on.driver, on.context); // the driver encodes for the current one
  if (!scope.status())
    return scope.status();
  return encoded ? packed.moveMaps(*on.driver, maps, arguments, *encoded)
                 : packed.encodeMaps(*on.driver, maps, arguments);
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

/// The same call on other memory.
Expected<ForwardArguments> replace(ForwardArguments arguments, const ForwardPointers &pointers) {
  int64_t bytes = byteSize(arguments.q.dtype);
  for (auto [name, view, data] : {std::tuple{"q", &arguments.q, pointers.q},
                                  {"k", &arguments.k, pointers.k},
                                  {"v", &arguments.v, pointers.v},
                                  {"o", &arguments.o, pointers.o}}) {
    if (auto legal = checkPointer(name, data, hasElements(view->shape), bytes); !legal)
      return legal.error();
    view->data = data;
  }
  if (auto legal = checkPointer("lse", pointers.lse, hasElements(arguments.lse.shape), sizeof(float)); !legal)
    return legal.error();
  arguments.lse.data = pointers.lse;
  return arguments;
}

} // namespace

const Kernel &ForwardKernel::kernel() const { return shared->kernel; }
const Device &ForwardKernel::device() const { return shared->device; }

Expected<void> ForwardKernel::launch(const ForwardArguments &arguments, void *stream) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  if (auto legal = checkStream(shared->device, stream); !legal || *programs == 0)
    return legal;
  PackedArguments packed(arguments, sectionOf(arguments, shared->device));
  if (auto added = addMaps(packed, *shared, arguments); !added)
    return added;
  return shared->launch(*programs, packed.pointers(), stream);
}

Expected<PreparedForward> ForwardKernel::prepare(const ForwardArguments &arguments) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  auto prepared = std::make_shared<PreparedForward::State>(shared, arguments, *programs,
                                                           sectionOf(arguments, shared->device));
  if (*programs > 0)
    if (auto added = addMaps(prepared->packed, *shared, arguments); !added)
      return added.error();
  return PreparedForward(std::move(prepared));
}

Expected<void> PreparedForward::launch(void *stream) const {
  if (auto legal = checkStream(shared->kernel->device, stream); !legal || shared->programs == 0)
    return legal;
  return shared->kernel->launch(shared->programs, shared->packed.pointers(), stream);
}

Expected<void> PreparedForward::launch(const ForwardPointers &pointers, void *stream) const {
  const LoadedKernel &kernel = *shared->kernel;
  if (auto legal = checkStream(kernel.device, stream); !legal || shared->programs == 0)
    return legal;
  auto arguments = replace(shared->arguments, pointers);
  if (!arguments)
    return arguments.error();
  PackedArguments packed(*arguments, shared->section);
  if (auto added = addMaps(packed, kernel, *arguments, &shared->packed); !added)
    return added;
  return kernel.launch(shared->programs, packed.pointers(), stream);
}

} // namespace landmark
