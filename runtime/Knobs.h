// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The environment variables that the project reads, all of them; nothing else reads the environment. docs/knobs.md is
// their page, made from the table here.
#ifndef LANDMARK_RUNTIME_KNOBS_H
#define LANDMARK_RUNTIME_KNOBS_H

#include "landmark/Compiler.h"
#include "landmark/RuntimeOptions.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace landmark {

/// One environment variable, for people.
struct KnobInfo {
  std::string_view name, values, fallback;
  bool changesCode; ///< whether a kernel's code, and so its cache key, may depend on it
  std::string_view text;
};

struct Knobs {
  std::string templateDir;
  int threads = 1;
  std::filesystem::path cacheDir; ///< empty where there is to be no cache on disk
  int64_t cacheLimit = 0;         ///< bytes
  std::filesystem::path bundle;   ///< kernels compiled ahead of time; empty for none
  bool strict = false;            ///< compile nothing
  bool tiers = true;              ///< run a baseline while the optimized kernel is compiled
  TuneMode tune = TuneMode::Cached;
  std::string dumpDir;
  std::string reproducerDir;
  std::string ptxas;                ///< as CompileOptions has it
  std::string nvtx = "off";         ///< "on", "off", or a library's file
  std::string log;                  ///< a file, "stderr", or empty
  std::vector<std::string> refused; ///< values that mean nothing, a sentence each; the fallback holds in their place

  static Knobs fromEnvironment();
  static std::span<const KnobInfo> table();

  /// These knobs with what `options` says in their place.
  Knobs with(const RuntimeOptions &options) const;

  /// `options` with what it leaves open taken from the knobs.
  CompileOptions complete(CompileOptions options) const;
};

} // namespace landmark
#endif
