// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Subject.h"

#include <fmt/format.h>

namespace landmark::tune {

Expected<std::unique_ptr<Subject>> Subject::make(const Device &device, const Problem &problem, const Workload &workload,
                                                 std::shared_ptr<ThreadPool> pool) {
  switch (problem.operation) {
  case Operation::Forward:
    return makeForwardSubject(device, problem, workload, std::move(pool));
  case Operation::Backward:
    return makeBackwardSubject(device, problem, workload, std::move(pool));
  default:
    return Error{ErrorCode::Unsupported, fmt::format("tuning: there is none for {}", name(problem.operation))};
  }
}

} // namespace landmark::tune
