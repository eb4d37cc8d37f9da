// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"

namespace landmark {

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
  return shared->launch(*programs, packed.pointers(), stream);
}

} // namespace landmark
