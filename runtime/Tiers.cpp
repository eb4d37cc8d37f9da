// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Tiers.h"

#include "Assembler.h"
#include "Background.h"
#include "DeviceState.h"
#include "LoadedKernel.h"
#include "Log.h"
#include "compiler/Driver/Ptxas.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark {

namespace {

/// Whether what was packed for a launch of one kernel does for the other.
bool launchAlike(const Kernel &one, const Kernel &other) {
  auto alike = [](const Kernel::Function &a, const Kernel::Function &b) { return a.name == b.name && a.threads == b.threads; };
  return one.problem == other.problem && one.config == other.config && one.tensorMaps == other.tensorMaps &&
         std::equal(one.functions.begin(), one.functions.end(), other.functions.begin(), other.functions.end(), alike);
}

/// Lets this thread load while others capture graphs, which by default forbids it to all of the process.
class AsideOfCaptures {
public:
  explicit AsideOfCaptures(const DeviceState &device) : driver(device.driver) { exchange(); }
  ~AsideOfCaptures() { exchange(); }
  AsideOfCaptures(const AsideOfCaptures &) = delete;

private:
  void exchange() {
    if (driver)
      driver->threadExchangeStreamCaptureMode(&mode);
  }

  const cuda::Driver *driver; ///< null for the host
  int mode = cuda::CaptureRelaxed;
};

} // namespace

Expected<void> Successor::wait() const {
  std::unique_lock lock(mutex);
  settled.wait(lock, [&] { return outcome.has_value(); });
  return *outcome;
}

Expected<void> Successor::take(Expected<Kernel> optimized) {
  if (!optimized)
    return optimized.error();
  if (!launchAlike(*optimized, baseline->kernel))
    return Error{ErrorCode::CompileFailed, "the baseline and the optimized kernel are launched differently"};
  AsideOfCaptures aside(*baseline->device.state());
  auto made = LoadedKernel::loadBeside(*baseline, std::move(*optimized));
  if (!made)
    return made.error();
  loaded = std::move(*made);
  ready.store(loaded.get(), std::memory_order_release);
  return {};
}

void Successor::settle(Expected<Kernel> optimized) {
  std::lock_guard lock(mutex);
  if (!baseline)
    return;
  nlohmann::ordered_json line = {{"problem", describe(baseline->kernel.problem)}, {"config", describe(baseline->kernel.config)}};
  outcome = take(std::move(optimized));
  if (!*outcome)
    line["error"] = outcome->error().message;
  Log::get().write(*outcome ? "tier.optimized" : "tier.failed", line);
  settled.notify_all();
}

void Successor::abandon() {
  std::shared_ptr<const LoadedKernel> last; // goes after the lock
  std::lock_guard lock(mutex);
  baseline = nullptr;
  ready = nullptr;
  last = std::move(loaded);
}

bool startsWithBaseline(const KernelRequest &request, const Knobs &knobs) {
  const CompileOptions &options = request.options;
  bool isWatched = options.resumeStage || !options.dumpDir.empty() || !knobs.dumpDir.empty() || !options.templateFile.empty() || !options.templateDir.empty() || !options.without.empty();
  return knobs.tiers && !knobs.strict && !isWatched && options.tier == Tier::Optimized && hasBaseline(request.problem, request.config) && hasPtxas(options.ptxas);
}

Expected<std::shared_ptr<const LoadedKernel>> loadBaseline(const KernelRequest &request, const KernelStore &store, const Device &device) {
  KernelRequest optimized = request, quick = request;
  quick.options.tier = Tier::Baseline;
  for (KernelRequest *one : {&optimized, &quick})
    one->assemble = [options = request.options](const Kernel &kernel) { return assembleByPtxas(kernel, options); };
  auto kernel = store.get(quick);
  if (!kernel)
    return kernel.error();
  auto baseline = LoadedKernel::load(std::move(*kernel), device, nullptr, /*awaitsSuccessor=*/true);
  if (!baseline)
    return baseline.error();
  auto started = runInBackground([successor = (*baseline)->successor, optimized, store] { successor->settle(store.get(optimized)); });
  return started ? baseline : started.error();
}

} // namespace landmark
