// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle of retrieval: scoring, selection and attention in float64 by the formulas of docs/spec.md, section 5, with
// nothing shared with the kernels.
#ifndef LANDMARK_RUNTIME_RETRIEVALREFERENCE_H
#define LANDMARK_RUNTIME_RETRIEVALREFERENCE_H

#include "landmark/Retrieval.h"
#include "landmark/Tensor.h"

#include <vector>

namespace landmark {

struct RetrievalSemantics {
  int64_t blockSize = 64;
  int64_t topK = 4;
  int64_t window = 0; ///< W: blocks before a row's own that are always visible
  Granularity granularity = Granularity::QueryHead;
  double scale = 1.0;
  Rotary rotary = {};
  bool roundsRotated = false; ///< rotated queries and keys are rounded to their type, as kernels for GPUs do
};

/// What a row of a head sees and may choose from, and what it chose.
struct RowRetrieval {
  int64_t candidates = 0;     ///< n: blocks 0 .. n-1 may be chosen
  std::vector<double> scores; ///< of every candidate, by the rules of the granularity: the higher, the better; shared
                              ///< by the rows that share a selection
  std::vector<int64_t> selection; ///< ids, ascending
};

struct ReferenceRetrieval {
  std::vector<RowRetrieval> rows; ///< [query head, row]
  std::vector<double> o;          ///< [query head, row, D]
  std::vector<double> lse;        ///< [query head, row], natural log; -inf for a row that sees nothing
};

/// One sequence: `k` and `v` [1, key/value heads, tokens, D] are all of it, landmarks included, `q` [1, query heads,
/// rows, D] its last rows; with a rotary embedding all are as they were before it. Views are on the host. Where
/// `selections` has a list for every (query head, row), attention uses those in place of its own (C12).
ReferenceRetrieval referenceRetrieval(const TensorView &q, const TensorView &k, const TensorView &v,
                                      const RetrievalSemantics &semantics,
                                      const std::vector<std::vector<int64_t>> &selections = {});

/// How far a selection is from a right one: the most by which a candidate left out beats one chosen; infinity where the
/// ids are not ascending candidates, min(k, n) of them. 0 for a right one.
double selectionError(const RowRetrieval &row, const std::vector<int64_t> &selection, int64_t topK);

} // namespace landmark
#endif
