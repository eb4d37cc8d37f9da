// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is measured: an operation on tensors of a workload's sizes. A further operation is a further subject.
#ifndef LANDMARK_RUNTIME_TUNE_SUBJECT_H
#define LANDMARK_RUNTIME_TUNE_SUBJECT_H

#include "RetrievalPlan.h"
#include "ThreadPool.h"
#include "landmark/Compiler.h"
#include "tune/Candidates.h"

#include <functional>

namespace landmark::tune {

/// Where the kernels of a step's neighbours come from.
using StepSource =
    std::function<Expected<std::shared_ptr<const LoadedKernel>>(const RetrievalPlan &plan, Operation step)>;

class Subject {
public:
  virtual ~Subject() = default;

  /// A kernel, loaded and found to compute what the oracle does, as a call that launches it on the workload.
  virtual Expected<std::function<Expected<void>()>> load(Kernel kernel) = 0;
  /// The schedule where nothing was tuned.
  virtual Config initial() const = 0;
  /// Whether a legal schedule is one for it.
  virtual bool takes(const Config &) const { return true; }
  /// How many times a call does the operation.
  virtual int timesInCall() const { return 1; }

  /// The subject of the problem's operation.
  static Expected<std::unique_ptr<Subject>> make(const Device &device, const Problem &problem, const Workload &workload,
                                                 std::shared_ptr<ThreadPool> pool, const StepSource &steps);
};

Expected<std::unique_ptr<Subject>> makeForwardSubject(const Device &device, const Problem &problem,
                                                      const Workload &workload, std::shared_ptr<ThreadPool> pool);
Expected<std::unique_ptr<Subject>> makeBackwardSubject(const Device &device, const Problem &problem,
                                                       const Workload &workload, std::shared_ptr<ThreadPool> pool);
/// Of a step of decoding, timed as one with the others.
Expected<std::unique_ptr<Subject>> makeDecodeSubject(const Device &device, const Problem &problem,
                                                     const Workload &workload, std::shared_ptr<ThreadPool> pool,
                                                     const StepSource &steps);

} // namespace landmark::tune
#endif
