// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which schedules are worth a measurement.
#ifndef LANDMARK_RUNTIME_TUNE_CANDIDATES_H
#define LANDMARK_RUNTIME_TUNE_CANDIDATES_H

#include "landmark/Config.h"
#include "landmark/Device.h"
#include "landmark/Tuning.h"

#include <vector>

namespace landmark::tune {

/// Sizes that a problem is measured with.
struct Workload {
  int64_t batch = 1;
  int64_t heads = 16;
  int64_t kvHeads = 16;
  int64_t queryLength = 4096;
  int64_t keyLength = 4096;

  bool operator==(const Workload &) const = default;
};

/// What an operation is measured with on a device by default: enough work to fill it, no more than a moment of it. Steps
/// of retrieval decode: one query of each sequence. The length is one of the class.
Workload defaultWorkload(Operation operation, const Device &device, LengthClass length = LengthClass::Any);
Workload workloadOf(const TuneOptions &options, Operation operation, const Device &device);

/// Every legal config of a grid over all fields: powers of two and what lies between them where the hardware has use
/// for it.
/// `initial` is always among them.
std::vector<Config> legalConfigs(const Problem &problem, const Target &target, const Config &initial);

/// How long a config may take on a workload, by what is known of it without compiling: matrix unit, traffic to shared
/// memory and to the L2 cache, warps that a multiprocessor holds, registers, the last wave. Only the order of the
/// numbers means something.
double predictedCost(const Config &config, const Problem &problem, const Workload &workload, const Device &device);

/// Whether one step leads from one config to the other: one field, rows and warps together, or unit and loads with
/// their switches.
bool areNeighbours(const Config &a, const Config &b);

} // namespace landmark::tune
#endif
