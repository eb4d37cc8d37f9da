// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle: landmark attention in float64 by the formulas of docs/spec.md, one row at a time, with nothing shared with the
// kernels. Slow on purpose; threads over rows.
#ifndef LANDMARK_RUNTIME_REFERENCE_H
#define LANDMARK_RUNTIME_REFERENCE_H

#include "landmark/Tensor.h"

#include <optional>
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

/// What a backward pass is given. Views must be on the host. Without `o` and `lse` the oracle computes its own.
struct BackwardInputs {
  TensorView q, k, v, dO;
  std::optional<TensorView> o = std::nullopt;
  std::optional<RowsView> lse = std::nullopt;
  std::optional<RowsView> dlse = std::nullopt; ///< where the log-sum-exp is differentiated too
};

/// Which gradients to compute: rows of dq, and blocks whose keys' dk and dv; empty: all of them.
struct BackwardSelection {
  std::vector<int64_t> rows, blocks;
};

struct ReferenceBackward {
  std::vector<int64_t> rows, keys; ///< those computed
  std::vector<double> dq;          ///< [batch, query head, rows.size(), D]
  std::vector<double> dk, dv;      ///< [batch, key/value head, keys.size(), D]
};

ReferenceBackward referenceBackward(const BackwardInputs &inputs, const ForwardSemantics &semantics,
                                    const BackwardSelection &selection = {});

/// ||actual - reference|| / ||reference|| over the reference's rows; a NaN or an infinity where the reference has none makes it
/// infinite. Where the reference norm is 0 it is ||actual||.
double relativeError(const TensorView &actual, const ReferenceForward &reference);
/// The same for any tensor, of which the reference holds `rows` of every batch and head.
double relativeError(const TensorView &actual, const std::vector<int64_t> &rows, const std::vector<double> &reference);
/// The same for the log-sum-exp; rows where the reference is -inf must be -inf, else the result is infinite.
double relativeError(const RowsView &actual, const ReferenceForward &reference);

} // namespace landmark
#endif
