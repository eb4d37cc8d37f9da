// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_FORWARDKERNEL_H
#define LANDMARK_RUNTIME_FORWARDKERNEL_H

#include "KernelStore.h"
#include "Launch.h"
#include "LoadedKernel.h"
#include "landmark/Runtime.h"

namespace landmark {

/// A forward kernel where it runs.
struct ForwardKernel::State : LoadedKernel {
  using LoadedKernel::LoadedKernel;

  /// Launches, unchecked.
  Expected<void> launch(PackedArguments &packed, int64_t programs, void *stream) const {
    return LoadedKernel::launch(programs, packed.pointers(), stream);
  }
};

/// Makes kernels launchable.
struct ForwardLoader {
  static Expected<ForwardKernel> load(Kernel kernel, const Device &device, std::shared_ptr<ThreadPool> pool);
};

/// A call ready to go.
struct PreparedForward::State {
  State(std::shared_ptr<const ForwardKernel::State> kernel, const ForwardArguments &arguments, int64_t programs,
        int64_t section)
      : kernel(std::move(kernel)), arguments(arguments), programs(programs), section(section),
        packed(arguments, section) {}

  std::shared_ptr<const ForwardKernel::State> kernel;
  ForwardArguments arguments;
  int64_t programs, section;
  mutable PackedArguments packed; ///< only ever read: what takes pointers to it does not say so
};

/// Has a GPU's driver assemble a kernel's PTX; empty for the host.
std::function<Expected<Cubin>(const Kernel &)> assemblerOf(const Device &device);

} // namespace landmark
#endif
