// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_LOADEDKERNEL_H
#define LANDMARK_RUNTIME_LOADEDKERNEL_H

#include "DeviceState.h"
#include "ThreadPool.h"
#include "landmark/Runtime.h"

#include <span>

namespace landmark {

/// A kernel where it runs.
struct LoadedKernel {
  LoadedKernel(Kernel kernel, Device device, std::shared_ptr<ThreadPool> pool)
      : kernel(std::move(kernel)), device(std::move(device)), pool(std::move(pool)) {}
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel &) = delete;

  /// GPU: has the driver assemble the PTX; its log is in the error's notes.
  Expected<void> load();

  /// Launches the kernel's functions in their order, `programs[i]` programs of function i (none for 0). On the host they are done on return.
  Expected<void> launch(std::span<const int64_t> programs, void **arguments, void *stream) const;

  Kernel kernel;
  Device device;
  std::shared_ptr<ThreadPool> pool;      ///< host only
  cuda::Module module = nullptr;         ///< GPU only
  std::vector<cuda::Function> functions; ///< GPU only, those of the kernel
};

} // namespace landmark
#endif
