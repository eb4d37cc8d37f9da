// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random problems for sweeps against the oracle, the awkward ones favoured: odd block sizes, cut blocks, histories,
// strided and misaligned tensors.
#ifndef LANDMARK_RUNTIME_RANDOMPROBLEM_H
#define LANDMARK_RUNTIME_RANDOMPROBLEM_H

#include "Reference.h"

#include "landmark/Target.h"
#include "landmark/Tensor.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace landmark {

struct RandomLimits {
  int64_t maxBatch = 2;
  int64_t maxKvHeads = 3;
  int64_t maxGroup = 4;
  int64_t maxKeys = 400;
  int64_t maxBlockSize = 256;
  int64_t maxHeadDim = 256;
  std::optional<Problem> problem = std::nullopt; ///< the block size, head dimension and type, in place of random ones
};

/// Host memory that a view lies in. Every element that no row owns is a NaN whose bytes are all 0xff: before the first
/// row, behind the last one and in the gaps between rows.
struct GuardedBuffer {
  std::vector<std::byte> bytes;
  int64_t offset = 0; ///< bytes from the start to the view's first element
};

/// A problem with its operands. Views point into the buffers, so it moves but does not copy; to run it on a device,
/// copy the buffers there whole and move each view's pointer to `offset` within the copy.
struct RandomForward {
  Problem problem;
  ForwardSemantics semantics; ///< the scale is exactly a float
  TensorView q, k, v, o;      ///< o and lse start as NaN everywhere
  RowsView lse;
  GuardedBuffer qBuffer, kBuffer, vBuffer, oBuffer, lseBuffer;
  std::string description; ///< everything that was drawn, on one line

  RandomForward() = default;
  RandomForward(RandomForward &&) = default;
  RandomForward &operator=(RandomForward &&) = default;
  RandomForward(const RandomForward &) = delete;
  RandomForward &operator=(const RandomForward &) = delete;

  /// Names the first element outside the rows of o and lse that was written; empty if there is none.
  std::string strayWrite() const;
};

/// The same seed and limits give the same problem and data on every machine.
RandomForward randomForward(uint64_t seed, const RandomLimits &limits = {});

/// A backward with the forward that it belongs to, whose o and lse are for a kernel (or the oracle) to fill.
struct RandomBackward {
  RandomForward forward;
  Problem problem;
  TensorView dO, dq, dk, dv; ///< the gradients start as NaN everywhere, like delta
  RowsView delta;
  std::optional<RowsView> dlse;
  GuardedBuffer dOBuffer, dqBuffer, dkBuffer, dvBuffer, deltaBuffer, dlseBuffer;
  std::string description;

  /// Whether the gradients of all landmarks' values are exactly 0 (C2).
  bool landmarksAreZero() const;
  /// As RandomForward's, of dq, dk, dv and delta.
  std::string strayWrite() const;
};

RandomBackward randomBackward(uint64_t seed, const RandomLimits &limits = {});

/// One batch and head of `rows` queries and keys, all dense, with the default scale.
RandomBackward denseBackward(const Problem &problem, int64_t rows, uint64_t seed);

/// Relative error (norm) of o and of lse that a correct kernel stays below, on problems of any size. A row of `keys` keys may, in float16, err by what a device's matrix units cut off their sums.
struct Tolerance {
  double o;
  double lse;
};
Tolerance toleranceFor(DType dtype, Target::Kind kind, int64_t keys = 0);

/// The same of dq, dk and dv.
double gradientTolerance(DType dtype, Target::Kind kind);

} // namespace landmark
#endif
