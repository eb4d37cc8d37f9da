// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ForwardKernel.h"

#include "Launch.h"
#include "TensorMaps.h"

#include <fmt/format.h>

namespace landmark {

const Kernel &ForwardKernel::kernel() const { return shared->kernel; }
const Device &ForwardKernel::device() const { return shared->device; }

Expected<void> checkFits(const Problem &needed, const Kernel &kernel) {
  if (needed == kernel.problem)
    return {};
  return Error{ErrorCode::InvalidArgument, fmt::format("arguments: got those of '{}'; this kernel computes '{}'",
                                                       describe(needed), describe(kernel.problem))};
}

Expected<void> ForwardKernel::launch(const ForwardArguments &arguments, void *stream) const {
  const Device &device = shared->device;
  if (auto legal = validate(arguments, device); !legal)
    return legal;
  const Kernel &kernel = shared->kernel;
  if (auto fits = checkFits(problemOf(arguments), kernel); !fits)
    return fits;
  if (!kernel.tensorMaps.empty())
    if (auto described = checkTensorMaps(arguments); !described)
      return described;
  auto programs = launchPrograms(arguments, kernel.config);
  if (!programs)
    return programs.error();
  PackedArguments packed(arguments, sectionOf(arguments, device));
  if (!device.isHost())
    if (auto encoded = packed.encodeMaps(*device.state()->driver, kernel.tensorMaps, arguments); !encoded)
      return encoded;
  return shared->launch({&*programs, 1}, packed.pointers(), stream);
}

} // namespace landmark
