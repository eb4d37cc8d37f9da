// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a forward and a backward with a gate threshold compute (docs/spec.md, sections 2 and 3), in float64.
#ifndef LANDMARK_TESTS_COMMON_GATEDREFERENCE_H
#define LANDMARK_TESTS_COMMON_GATEDREFERENCE_H

#include "RandomProblem.h"
#include "landmark/Runtime.h"

namespace landmark::test {

struct GatedReference {
  ReferenceForward forward;
  GatedTiles tiles;
  /// Some tile's highest gate is so near to the threshold that rounding decides.
  bool isClose = false;
};

/// For kernels with the tiles of `config`.
GatedReference gatedReference(const RandomForward &random, double threshold, const Config &config);

struct GatedGradients {
  ReferenceBackward gradients;
  GatedTiles tiles; ///< of the kernel that goes by keys
  bool isClose = false;
};

/// The same, with o and lse of a forward without a threshold. A backward that adds dq up leaves the same out of dq as of dk and dv.
GatedGradients gatedReference(const RandomBackward &random, double threshold, const Config &config, bool adds);

/// Of the problems with blocks that a threshold is for: number `seed`, with many key tiles.
RandomForward randomGated(uint64_t seed);
RandomBackward randomGatedBackward(uint64_t seed);

} // namespace landmark::test
#endif
