// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a forward with a gate threshold computes (docs/spec.md, section 2), in float64.
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

/// Of the problems with blocks that a threshold is for: number `seed`, with many key tiles.
RandomForward randomGated(uint64_t seed);

} // namespace landmark::test
#endif
