// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is measured: an operation on tensors of a workload's sizes. A further operation is a further subject.
#ifndef LANDMARK_RUNTIME_TUNE_SUBJECT_H
#define LANDMARK_RUNTIME_TUNE_SUBJECT_H

#include "ThreadPool.h"
#include "landmark/Compiler.h"
#include "tune/Candidates.h"

#include <functional>

namespace landmark::tune {

class Subject {
public:
  virtual ~Subject() = default;

  /// A kernel, loaded and found to compute what the oracle does, as a call that launches it on the workload.
  virtual Expected<std::function<Expected<void>()>> load(Kernel kernel) = 0;

  /// The subject of the problem's operation.
  static Expected<std::unique_ptr<Subject>> make(const Device &device, const Problem &problem, const Workload &workload,
                                                 std::shared_ptr<ThreadPool> pool);
};

} // namespace landmark::tune
#endif
