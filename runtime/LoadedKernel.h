// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_LOADEDKERNEL_H
#define LANDMARK_RUNTIME_LOADEDKERNEL_H

#include "DeviceState.h"
#include "KernelStore.h"
#include "TensorMaps.h"
#include "ThreadPool.h"
#include "Tiers.h"
#include "landmark/Runtime.h"

#include <span>

namespace landmark {

/// A kernel where it runs. A baseline that awaits its successor launches that as soon as it is there.
class LoadedKernel {
public:
  /// GPU: loads the machine code, or has the driver assemble the PTX; its log is in the error's notes.
  static Expected<std::shared_ptr<const LoadedKernel>> load(Kernel kernel, const Device &device,
                                                            std::shared_ptr<ThreadPool> pool, bool awaitsSuccessor = false);
  /// Another one on the same device.
  static Expected<std::shared_ptr<const LoadedKernel>> loadBeside(const LoadedKernel &other, Kernel kernel) {
    return load(std::move(kernel), other.device, other.pool);
  }
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel &) = delete;

  /// Launches the kernel's functions in their order, unchecked but for the stream: `programs[i]` programs of function i
  /// (none for 0), on arguments in the order of `struct Kernel`. On the host they are done on return.
  /// With `cluster` above 1 so many programs side by side are a cluster; it divides their numbers.
  Expected<void> launch(std::span<const int64_t> programs, void **arguments, void *stream, int64_t cluster = 1) const;
  /// Of a kernel of one function.
  Expected<void> launch(int64_t programs, void **arguments, void *stream, int64_t cluster = 1) const {
    return launch({&programs, 1}, arguments, stream, cluster);
  }

  /// The kernel that is launched now.
  const Kernel &current() const;
  /// Waits until that is the optimized one. An error says why it cannot be.
  Expected<void> settle() const { return successor ? successor->wait() : Expected<void>(); }

  const Kernel kernel;
  const Device device;
  const std::shared_ptr<Successor> successor; ///< of a baseline that awaits one

private:
  LoadedKernel(Kernel kernel, Device device, std::shared_ptr<ThreadPool> pool, bool awaitsSuccessor)
      : kernel(std::move(kernel)), device(std::move(device)), successor(awaitsSuccessor ? std::make_shared<Successor>(*this) : nullptr), pool(std::move(pool)) {}
  Expected<void> load();
  /// What is to be launched in this one's place; null for itself. A graph would keep the baseline for good, so that its capture waits.
  const LoadedKernel *successorFor(void *stream) const;
  /// Says in the log what may make the kernel slow.
  void logRemarks(const cuda::Driver &driver, double milliseconds) const;

  const std::shared_ptr<ThreadPool> pool; ///< host only
  cuda::Module module = nullptr;          ///< GPU only
  std::vector<cuda::Function> functions;  ///< GPU only, those of the kernel
};

/// Makes the handles of loaded kernels, each of the class of its operation.
struct KernelHandle {
  template <typename Handle> static Handle of(std::shared_ptr<const LoadedKernel> kernel) {
    return Handle(std::move(kernel));
  }
  template <typename Handle>
  static Expected<Handle> load(Kernel kernel, const Device &device, std::shared_ptr<ThreadPool> pool) {
    auto loaded = LoadedKernel::load(std::move(kernel), device, std::move(pool));
    return loaded ? Expected<Handle>(of<Handle>(std::move(*loaded))) : loaded.error();
  }
};

/// Has `encode` give a call the tensor maps that its kernel takes, if any, with the device's context current, as the
/// driver encodes for that. Not all views can be described by one.
template <typename Arguments, typename Encode>
Expected<void> addMaps(const LoadedKernel &kernel, const Arguments &arguments, Encode encode) {
  if (kernel.kernel.tensorMaps.empty())
    return {};
  if (auto described = checkTensorMaps(arguments); !described)
    return described;
  cuda::ContextScope scope(*kernel.device.state()->driver, kernel.device.state()->context);
  return scope.status() ? encode(*kernel.device.state()->driver, kernel.kernel.tensorMaps) : scope.status();
}

/// Whether a kernel is the one that arguments need.
Expected<void> checkFits(const Problem &needed, const Kernel &kernel);

/// On the host a stream must be null.
Expected<void> checkStream(const Device &device, void *stream);

} // namespace landmark
#endif
