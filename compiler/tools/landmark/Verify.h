// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_VERIFY_H
#define LANDMARK_TOOLS_VERIFY_H

#include "RandomProblem.h"
#include "Workspace.h"

namespace landmark::tool {

struct Errors {
  double o = 0;
  double lse = 0;
};

/// Relative errors (norm) of outputs against the oracle, over all rows.
Errors compareWithOracle(const Inputs &inputs, const Outputs &outputs);

/// The same over at most `maxRows` rows of at most `maxHeads` heads, the worst head counts: the first and last rows and
/// those around block borders among them.
Errors compareSample(const Inputs &inputs, const Outputs &outputs, int64_t maxRows = 64, int64_t maxHeads = 3);

/// Prints errors beside the tolerance that the type has on `device`, and fails with Mismatch above it.
Expected<void> judge(const Errors &errors, std::string_view against, DType dtype, const Device &device);

} // namespace landmark::tool
#endif
