// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Remarks.h"

#include "compiler/Driver/ForwardConfig.h"

#include <algorithm>
#include <fmt/format.h>

namespace landmark {

namespace {

/// Warps that hide the latency of memory on a multiprocessor; fewer wait.
constexpr int64_t enoughWarps = 8;

/// Why the matrix unit is not the fastest that the chip has; empty if it is.
std::string fallback(const Kernel &kernel) {
  if (kernel.target.chip != "sm_90a" || kernel.config.unit == MatrixUnit::Wgmma)
    return "";
  if (defaultConfig(kernel.problem, kernel.target).unit == MatrixUnit::Wgmma)
    return "mma.sync in place of wgmma: the config says so";
  Config wanted{128, std::max<int64_t>(16, kernel.config.keyTile / 16 * 16), 8, 1, MatrixUnit::Wgmma};
  auto legal = validate(wanted, kernel.problem, kernel.target);
  return fmt::format("mma.sync in place of wgmma: {}", legal ? "no config with wgmma fits" : legal.error().message);
}

/// `use` is null where the registers are not known.
std::string occupancy(const Kernel &kernel, const Kernel::Function &function, const ResourceUse *use) {
  constexpr int64_t registersOfMultiprocessor = 65536, reservedBytes = 1024, warpSize = 32;
  int64_t warps = function.threads / warpSize;
  int64_t byShared = kernel.target.sharedBytesPerMultiprocessor() / (function.sharedBytes + reservedBytes);
  int64_t registers = use ? std::max<int64_t>(use->registers, 1) : 1;
  int64_t byRegisters = registersOfMultiprocessor / (registers * function.threads);
  int64_t resident = warps * std::min(byShared, byRegisters);
  if (resident >= enoughWarps || warps == 0)
    return "";
  return fmt::format("low occupancy: a multiprocessor holds {} warps, at least {} hide latencies; limited by {}",
                     resident, enoughWarps,
                     byShared <= byRegisters ? fmt::format("{} bytes of shared memory a block", function.sharedBytes)
                                             : fmt::format("{} registers a thread", registers));
}

std::string spills(const ResourceUse &use) {
  if (use.spillStoreBytes + use.spillLoadBytes > 0)
    return fmt::format("registers are spilled: {} bytes of stores, {} of loads", use.spillStoreBytes,
                       use.spillLoadBytes);
  if (use.stackBytes > 0)
    return fmt::format("a thread keeps {} bytes in local memory: registers are spilled", use.stackBytes);
  return "";
}

std::string serialization(const ResourceUse &use) {
  return use.serialized.empty() ? "" : fmt::format("every wgmma waits for the one before: {}", use.serialized);
}

} // namespace

std::vector<std::string> remarks(const Kernel &kernel, const std::vector<ResourceUse> &uses) {
  std::vector<std::string> found;
  auto add = [&](std::string text, std::string_view function = "") {
    if (!text.empty())
      found.push_back(function.empty() || kernel.functions.size() == 1 ? std::move(text)
                                                                       : fmt::format("{}: {}", function, text));
  };
  if (kernel.target.isHost())
    return found;
  if (kernel.tier == Tier::Baseline)
    add("the baseline: no product runs beside other work");
  bool isStep = isRetrieval(kernel.problem.operation); // bound by memory, and a page is one tile
  if (!isStep)
    add(fallback(kernel));
  if (!isStep && isLongBlock(kernel.problem, kernel.config) && !keepsBlockOutput(kernel.problem, kernel.config))
    add(fmt::format("blocks of {} tokens do not fit a key tile of {}: keys are multiplied twice",
                    kernel.problem.blockSize, kernel.config.keyTile));
  for (const Kernel::Function &function : kernel.functions) {
    auto use = std::find_if(uses.begin(), uses.end(),
                            [&](const ResourceUse &one) { return one.function == function.name; });
    add(occupancy(kernel, function, use == uses.end() ? nullptr : &*use), function.name);
    if (use == uses.end())
      continue;
    add(spills(*use), function.name);
    add(serialization(*use), function.name);
  }
  return found;
}

} // namespace landmark
