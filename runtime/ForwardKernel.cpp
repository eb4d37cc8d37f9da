// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"
#include "TensorMaps.h"

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

const Kernel &ForwardKernel::kernel() const { return shared->kernel; }
const Device &ForwardKernel::device() const { return shared->device; }

Expected<void> ForwardKernel::launch(const ForwardArguments &arguments, void *stream) const {
  if (auto legal = validate(arguments, shared->device); !legal)
    return legal;
  if (auto fits = checkFits(arguments, shared->kernel); !fits)
    return fits;
  const Kernel &kernel = shared->kernel;
  const Device &device = shared->device;
  if (!kernel.tensorMaps.empty())
    if (auto described = checkTensorMaps(arguments); !described)
      return described;
  auto programs = launchPrograms(arguments, kernel.config);
  if (!programs)
    return programs.error();
  PackedArguments packed(arguments, sectionOf(arguments, device));
  if (!kernel.tensorMaps.empty() && *programs > 0)
    if (auto encoded = packed.encodeMaps(*device.state()->driver, kernel.tensorMaps, arguments); !encoded)
      return encoded;
  int64_t blocks = kernel.config.persistent ? std::min(*programs, device.multiprocessors()) : *programs;
  return shared->launch(blocks, packed.pointers(), stream);
}

} // namespace landmark
