// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"
#include "TensorMaps.h"

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

/// The same call on other memory.
Expected<ForwardArguments> replace(ForwardArguments arguments, const ForwardPointers &pointers) {
  for (auto [name, view, data] : {std::tuple{"q", &arguments.q, pointers.q},
                                  {"k", &arguments.k, pointers.k},
                                  {"v", &arguments.v, pointers.v},
                                  {"o", &arguments.o, pointers.o}})
    if (auto moved = moveTo(name, *view, data); !moved)
      return moved.error();
  auto moved = moveTo("lse", arguments.lse, pointers.lse);
  return moved ? Expected<ForwardArguments>(arguments) : moved.error();
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
