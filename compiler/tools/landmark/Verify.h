// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_VERIFY_H
#define LANDMARK_TOOLS_VERIFY_H

#include "RandomProblem.h"
#include "GradientWorkspace.h"

namespace landmark::tool {

/// Relative error (norm) of one tensor, and what it may be.
struct Comparison {
  std::string tensor;
  double error, tolerance;
};

struct Errors {
  double o = 0;
  double lse = 0;
};

/// Relative errors (norm) of outputs against the oracle, over all rows.
Errors compareWithOracle(const Inputs &inputs, const Outputs &outputs);

/// The same over at most `maxRows` rows of at most `maxHeads` heads, the worst head counts: the first and last rows and
/// those around block borders among them.
Errors compareSample(const Inputs &inputs, const Outputs &outputs, int64_t maxRows = 64, int64_t maxHeads = 3);

/// Relative errors of gradients against the oracle, over all of them.
std::vector<Comparison> compareWithOracle(const GradientInputs &inputs, const Gradients &gradients, const Device &device);
/// The same over some rows and blocks of up to two key/value heads, the worst head counts; `forward` holds o and lse that the kernel was given.
std::vector<Comparison> compareSample(const GradientInputs &inputs, const Outputs &forward, const Gradients &gradients, const Device &device);

/// Prints errors beside their tolerances, and fails with Mismatch above one.
Expected<void> judge(const std::vector<Comparison> &comparisons, std::string_view against);

/// Errors of a forward beside the tolerances that its type has on `device`.
std::vector<Comparison> comparisonsOf(const Errors &errors, const Inputs &inputs, const Device &device);

/// Prints errors beside the tolerance that the type has on `device`, and fails with Mismatch above it.
Expected<void> judge(const Errors &errors, std::string_view against, DType dtype, const Device &device);

} // namespace landmark::tool
#endif
