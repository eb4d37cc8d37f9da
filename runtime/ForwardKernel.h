// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_FORWARDKERNEL_H
#define LANDMARK_RUNTIME_FORWARDKERNEL_H

#include "DeviceState.h"
#include "KernelStore.h"
#include "Launch.h"
#include "ThreadPool.h"
#include "landmark/Runtime.h"

namespace landmark {

/// A kernel where it runs.
struct ForwardKernel::State {
  State(Kernel kernel, Device device, std::shared_ptr<ThreadPool> pool)
      : kernel(std::move(kernel)), device(std::move(device)), pool(std::move(pool)) {}
  ~State();
  State(const State &) = delete;

  /// GPU: loads the machine code, or has the driver assemble the PTX; its log is in the error's notes.
  Expected<void> load();
  /// Launches, unchecked.
  Expected<void> launch(PackedArguments &packed, int64_t programs, void *stream) const;

  /// Says in the log what may make the kernel slow.
  void logRemarks(const cuda::Driver &driver) const;

  Kernel kernel;
  Device device;
  std::shared_ptr<ThreadPool> pool; ///< host only
  cuda::Module module = nullptr;    ///< GPU only
  cuda::Function function = nullptr;
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
