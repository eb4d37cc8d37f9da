// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TUNING_H
#define LANDMARK_TUNING_H

#include "landmark/Config.h"

#include <cstdint>

namespace landmark {

/// What Runtime::tune measures with. Sizes of 0 are the device's defaults: enough work to fill it, no more than a moment
/// of it.
struct TuneOptions {
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t kvHeads = 0; ///< 0: as many as heads
  int64_t queryLength = 0;
  int64_t keyLength = 0;
  bool exhaustive = false; ///< every legal config, not those that promise most
  double seconds = 0;      ///< nothing more is tried after this time; 0 for no limit
};

struct TuneResult {
  Config config;           ///< the fastest
  double milliseconds = 0; ///< the median of its launches, in turns with those of the next best
  int64_t measured = 0, legal = 0;
  double seconds = 0;
  bool kept = false; ///< for later processes, beside the cache
};

} // namespace landmark
#endif
