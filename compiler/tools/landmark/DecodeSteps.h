// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls of retrieval one by one, as a decoder makes them: other queries each time, and a wait for the result.
#ifndef LANDMARK_TOOLS_DECODESTEPS_H
#define LANDMARK_TOOLS_DECODESTEPS_H

#include "LongContext.h"

namespace landmark::tool {

struct StepwiseCall {
  LandmarkCache &cache;
  Retrieval &retrieval;
  DeviceBuffer &q;         ///< what `attend` reads
  const HostTensor &first; ///< queries to begin with: [batch, heads, queries, D]
  std::function<Expected<void>(void *stream)> attend;
};

struct Stepwise {
  double medianUs = 0;
  double blocks = 0;       ///< of a key/value head, those that a step attends to; the mean
  double repeatedRate = 0; ///< of those, the share that the step before attended to as well
  double hitRate = 0;      ///< the share found in the pool of hot pages
  double busBytes = 0;     ///< of a step, from the host's memory
  double busRate = 0;      ///< GB/s of a copy of pinned memory to the device
  double busBoundUs() const { return busRate > 0 ? busBytes * 1e-3 / busRate : 0; }
};

/// Times `steps` calls, after a few that are not timed. In each, one in 1 / (1 - hitRate) heads has a new query.
Expected<Stepwise> timeSteps(const Device &device, StepwiseCall &call, int steps, double hitRate);
void print(const Stepwise &measured, int steps);

} // namespace landmark::tool
#endif
