// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle: landmark attention in float64 by the formulas of docs/spec.md, one row at a time, with nothing shared with the
// kernels. Slow on purpose; threads over rows.
#ifndef LANDMARK_RUNTIME_REFERENCE_H
#define LANDMARK_RUNTIME_REFERENCE_H

#include "landmark/Tensor.h"

#include <vector>

namespace landmark {

struct ForwardSemantics {
  int64_t blockSize = 64;
  int64_t phase = 0;
  int64_t qOffset = 0; ///< position of query row 0
  double scale = 1.0;
};

/// Rows of one (batch, head): which to compute.
struct RowSelection {
  std::vector<int64_t> rows; ///< the same rows of every batch and head; empty: all of them
};

struct ReferenceForward {
  std::vector<int64_t> rows; ///< the rows computed
  std::vector<double> o;     ///< [batch, head, rows.size(), D]
  std::vector<double> lse;   ///< [batch, head, rows.size()], natural log; -inf for a row that sees nothing
};

/// Views must be on the host. `rows` must lie in range; shapes must agree (checked by the callers' argument check).
ReferenceForward referenceForward(const TensorView &q, const TensorView &k, const TensorView &v,
                                  const ForwardSemantics &semantics, const RowSelection &selection = {});

/// ||actual - reference|| / ||reference|| over the reference's rows; a NaN or an infinity where the reference has none makes it
/// infinite. Where the reference norm is 0 it is ||actual||.
double relativeError(const TensorView &actual, const ReferenceForward &reference);
/// The same for the log-sum-exp; rows where the reference is -inf must be -inf, else the result is infinite.
double relativeError(const RowsView &actual, const ReferenceForward &reference);

} // namespace landmark
#endif
