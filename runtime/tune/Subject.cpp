// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Subject.h"

#include <fmt/format.h>

namespace landmark::tune {

Expected<std::unique_ptr<Subject>> Subject::make(const Device &device, const Problem &problem, const Workload &workload,
                                                 std::shared_ptr<ThreadPool> pool, const StepSource &steps) {
  switch (problem.operation) {
  case Operation::Forward:
    return makeForwardSubject(device, problem, workload, std::move(pool));
  case Operation::Backward:
    return makeBackwardSubject(device, problem, workload, std::move(pool));
  case Operation::ScoreTop:
  case Operation::Attend:
  case Operation::AttendPart:
  case Operation::AttendJoin:
    return makeDecodeSubject(device, problem, workload, std::move(pool), steps);
  default:
    return Error{ErrorCode::Unsupported,
                 fmt::format("tuning: there is none for {}; allowed: forward, backward, score_top, attend, attend_part, attend_join",
                             name(problem.operation))};
  }
}

} // namespace landmark::tune
