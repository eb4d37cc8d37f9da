// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_LOADEDKERNEL_H
#define LANDMARK_RUNTIME_LOADEDKERNEL_H

#include "DeviceState.h"
#include "ThreadPool.h"
#include "landmark/Compiler.h"

namespace landmark {

/// A kernel where it runs.
class LoadedKernel {
public:
  LoadedKernel(Kernel kernel, Device device, std::shared_ptr<ThreadPool> pool)
      : kernel(std::move(kernel)), device(std::move(device)), pool(std::move(pool)) {}
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel &) = delete;

  /// GPU: loads the machine code, or has the driver assemble the PTX; its log is in the error's notes. Host: nothing.
  Expected<void> load();

  /// Runs programs 0 .. programs-1 on arguments in the order of `struct Kernel`. GPU: asynchronously, in the stream.
  /// Host: on return all is done; `stream` must be null.
  Expected<void> launch(int64_t programs, void **arguments, void *stream) const;

  const Kernel kernel;
  const Device device;

private:
  /// Says in the log what may make the kernel slow.
  void logRemarks(const cuda::Driver &driver) const;

  std::shared_ptr<ThreadPool> pool; ///< host only
  cuda::Module module = nullptr;    ///< GPU only
  cuda::Function function = nullptr;
};

} // namespace landmark
#endif
