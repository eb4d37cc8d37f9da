// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What was measured, kept for later compilations: <cache>/tuning/<device>.json, for people to read too.
#ifndef LANDMARK_RUNTIME_TUNE_RESULTS_H
#define LANDMARK_RUNTIME_TUNE_RESULTS_H

#include "Knobs.h"
#include "RetrievalPlan.h"
#include "tune/Candidates.h"

#include <optional>
#include <string>

namespace landmark::tune {

struct Timing {
  Config config;
  double medianMs = 0, fastestMs = 0;
  int repeats = 0;
};

struct Rejection {
  Config config;
  std::string reason;
};

struct Result {
  Problem problem;
  Workload workload;
  Config initial; ///< what is used where nothing was tuned
  Config best;
  std::vector<Timing> timings; ///< by time, the best first
  std::vector<Timing> finals;  ///< of the best of those and of the default, measured in turns; the first is `best`
  std::vector<Rejection> rejections;
  int candidates = 0; ///< legal configs
  double seconds = 0;
  std::string date;    ///< UTC
  std::string driver;  ///< "CUDA driver 13.0"; empty on the host
  std::string version; ///< of the library
};

/// Name of a device's file.
std::string fileNameOf(const Device &device);

/// Adds a result to the device's file, in place of an earlier one of the same problem and workload. Processes take
/// turns.
Expected<void> save(const std::filesystem::path &cacheDir, const Device &device, const Result &result);

/// Workloads whose results count.
struct Matching {
  LengthClass length = LengthClass::Any; ///< those of the class; all for `Any`
  std::optional<Workload> rows = {};     ///< those with as many heads, key/value heads and queries
};

/// The config measured best for a problem on a device, over the workloads the latest one. Nothing where nothing was
/// measured, where the file is not to be believed (another's, or damaged), or where the config is not legal any more.
std::optional<Config> find(const std::filesystem::path &cacheDir, const Device &device, const Problem &problem,
                           const Matching &workloads = {});

/// Whether there may be results to find.
bool anyResults(const Knobs &knobs);

/// The schedule for a problem and a class of lengths on a device: as tuned if `knobs` say so, else the shipped default.
Config scheduleFor(const Problem &problem, LengthClass length, const Device &device, const Knobs &knobs);

/// The same for a step of retrieval, whose rows decide what is fast: as tuned for as many heads and queries, else the
/// plan's.
Config scheduleFor(const RetrievalPlan &plan, Operation step, const Device &device, const Knobs &knobs);

} // namespace landmark::tune
#endif
