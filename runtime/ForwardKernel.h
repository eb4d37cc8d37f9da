// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_FORWARDKERNEL_H
#define LANDMARK_RUNTIME_FORWARDKERNEL_H

#include "DeviceState.h"
#include "ThreadPool.h"
#include "landmark/Runtime.h"

namespace landmark {

/// A kernel where it runs.
struct ForwardKernel::State {
  State(Kernel kernel, Device device, std::shared_ptr<ThreadPool> pool)
      : kernel(std::move(kernel)), device(std::move(device)), pool(std::move(pool)) {}
  ~State();
  State(const State &) = delete;

  /// GPU: has the driver assemble the PTX; its log is in the error's notes.
  Expected<void> load();

  Kernel kernel;
  Device device;
  std::shared_ptr<ThreadPool> pool; ///< host only
  cuda::Module module = nullptr;    ///< GPU only
  cuda::Function function = nullptr;
};

} // namespace landmark
#endif
