// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chooses a schedule by measurement.
#ifndef LANDMARK_RUNTIME_TUNE_TUNER_H
#define LANDMARK_RUNTIME_TUNE_TUNER_H

#include "KernelStore.h"
#include "ThreadPool.h"
#include "tune/Results.h"

namespace landmark::tune {

struct Options {
  Workload workload;
  /// Measures every legal config instead of those that promise most.
  bool exhaustive = false;
  /// Timed launches of a config; those that are far behind after a few get no more.
  int repeats = 20;
  /// After this many seconds nothing more is tried; 0 for no limit. What is being compiled or timed then is finished.
  double seconds = 0;
  CompileOptions compile;
  /// Told what is being done: `done` of about `total` configs, and the best time so far (0 for none).
  std::function<void(int done, int total, double bestMs)> onProgress;
};

/// Compiles promising configs in parallel, checks each against the oracle, measures it with a cold L2 cache, and goes
/// on with the neighbours of the best. CompileFailed where no config survives, with every reason in the notes. Saves
/// nothing.
Expected<Result> tune(const Device &device, const Problem &problem, const Options &options, const Knobs &knobs,
                      std::shared_ptr<ThreadPool> pool);

} // namespace landmark::tune
#endif
