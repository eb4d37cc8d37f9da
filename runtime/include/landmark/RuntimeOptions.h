// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIMEOPTIONS_H
#define LANDMARK_RUNTIMEOPTIONS_H

#include <cstdint>
#include <optional>
#include <string>

namespace landmark {

/// When schedules are chosen by measurement.
enum class TuneMode {
  Off,    ///< the shipped default
  Cached, ///< what was measured on this device earlier (landmark tune), else the shipped default
  On,     ///< the same, but what was not measured yet is measured when it is first needed, which takes a while
};

/// How a Runtime comes by its kernels. What is left open is taken from the environment (docs/knobs.md).
struct RuntimeOptions {
  /// LANDMARK_CACHE_DIR: where compiled kernels are kept; empty for no cache on disk.
  std::optional<std::string> cacheDir = std::nullopt;
  /// LANDMARK_CACHE_LIMIT, in bytes.
  std::optional<int64_t> cacheLimit = std::nullopt;
  /// LANDMARK_BUNDLE: kernels compiled ahead of time; empty for none.
  std::optional<std::string> bundle = std::nullopt;
  /// LANDMARK_STRICT: compile nothing; a kernel that neither the bundle nor the cache holds is an error (NotFound).
  std::optional<bool> strict = std::nullopt;
  /// LANDMARK_TIERS: run a kernel that nobody has kept as its baseline until the optimized one is compiled.
  std::optional<bool> tiers = std::nullopt;
  /// LANDMARK_TUNE.
  std::optional<TuneMode> tune = std::nullopt;
};

} // namespace landmark
#endif
