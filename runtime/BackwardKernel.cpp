// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"

namespace landmark {

namespace {

/// Gives the tensor maps that the kernel takes, if any, to a call that has something to do. Not all views can be described by one.
Expected<void> addMaps(PackedBackwardArguments &packed, const LoadedKernel &kernel, const BackwardArguments &arguments) {
  const std::vector<TensorMap> &maps = kernel.kernel.tensorMaps;
  if (maps.empty())
    return {};
  if (auto described = checkTensorMaps(arguments); !described)
    return described;
  const DeviceState &on = *kernel.device.state();
  cuda::ContextScope scope(*on.driver, on.context); // the driver encodes for the current one
  return scope.status() ? packed.encodeMaps(*on.driver, maps, arguments) : scope.status();
}

} // namespace

const Kernel &BackwardKernel::kernel() const { return shared->kernel; }
const Device &BackwardKernel::device() const { return shared->device; }

Expected<void> BackwardKernel::launch(const BackwardArguments &arguments, void *stream) const {
  const Device &device = shared->device;
  if (auto legal = validate(arguments, device); !legal)
    return legal;
  if (auto fits = checkFits(problemOf(arguments), shared->kernel); !fits)
    return fits;
  auto programs = launchPrograms(arguments, shared->kernel.config);
  if (!programs)
    return programs.error();
  PackedBackwardArguments packed(arguments, sectionOf(forwardOf(arguments), device));
  if (auto added = addMaps(packed, *shared, arguments); !added)
    return added;
  return shared->launch(*programs, packed.pointers(), stream);
}

} // namespace landmark
