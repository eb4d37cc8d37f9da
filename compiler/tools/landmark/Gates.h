// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_GATES_H
#define LANDMARK_TOOLS_GATES_H

#include "Workspace.h"

#include <vector>

namespace landmark::tool {

/// Where rows look, as shares of 1: the mean over the rows and all query heads of batch 0.
struct Gates {
  double own = 0;           ///< the rows' own blocks
  std::vector<double> past; ///< by block
};

/// The gates (docs/spec.md, section 2) of the last `rows` query rows, in float64 on the host.
Gates lastRowsGates(const Inputs &inputs, int64_t rows);

} // namespace landmark::tool
#endif
