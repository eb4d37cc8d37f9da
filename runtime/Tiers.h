// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel that nobody has kept runs as its baseline until the optimized one is compiled.
#ifndef LANDMARK_RUNTIME_TIERS_H
#define LANDMARK_RUNTIME_TIERS_H

#include "KernelStore.h"
#include "landmark/Device.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace landmark {

class LoadedKernel;

/// What takes a baseline's place when it is there. The baseline and the job that makes the other share it, as either may go first.
class Successor {
public:
  explicit Successor(const LoadedKernel &baseline) : baseline(&baseline) {}

  /// The optimized kernel; null until it is there.
  const LoadedKernel *get() const { return ready.load(std::memory_order_acquire); }

  /// Waits until it is there. An error says why it never will be.
  Expected<void> wait() const;

  /// Loads what was compiled beside the baseline, and ends all waiting.
  void settle(Expected<Kernel> optimized);

  /// The baseline goes, which waits for a loading that has begun: its context may go next.
  void abandon();

private:
  Expected<void> take(Expected<Kernel> optimized);

  mutable std::mutex mutex;
  mutable std::condition_variable settled;
  const LoadedKernel *baseline;               ///< null when it is gone
  std::optional<Expected<void>> outcome;      ///< none while the job runs
  std::shared_ptr<const LoadedKernel> loaded; ///< owns `ready`
  std::atomic<const LoadedKernel *> ready = nullptr;
};

/// Whether a program that asks for a kernel gets its baseline first, where nobody has kept the optimized one. Not where somebody looks at how the kernel is made, and not
/// without ptxas, as the driver assembles within the process and holds up its launches.
bool startsWithBaseline(const KernelRequest &request, const Knobs &knobs);

/// The baseline on its device; the optimized kernel takes its place when it is made, in the background.
Expected<std::shared_ptr<const LoadedKernel>> loadBaseline(const KernelRequest &request, const KernelStore &store, const Device &device);

} // namespace landmark
#endif
