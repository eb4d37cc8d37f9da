// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TESTS_GATEDSWEEP_H
#define LANDMARK_TESTS_GATEDSWEEP_H

#include "landmark/Runtime.h"

#include <catch2/catch.hpp>

#include <cstdint>

namespace landmark::test {

/// Runs `check(seed, threshold)`, which gives the tiles of a problem or nothing where gates are too close to the threshold to tell, over thresholds from one that skips
/// nothing to one that skips all. More than `decided` problems are to be told, and more than `some` of them to skip a part.
template <typename Check> void sweepThresholds(uint64_t seeds, int64_t decided, int64_t some, Check check) {
  int64_t told = 0, partly = 0;
  GatedTiles total;
  for (uint64_t seed = 1; seed <= seeds; ++seed)
    for (float threshold : {1e-30f, 0.03f, 0.1f, 0.3f, 1.0f}) {
      auto tiles = check(seed, threshold);
      if (!tiles)
        continue;
      ++told;
      partly += tiles->skipped > 0 && tiles->skipped < tiles->all;
      total.skipped += tiles->skipped;
      total.all += tiles->all;
      if (threshold == 1.0f)
        CHECK(tiles->skipped == tiles->all);
    }
  CHECK(told > decided);
  CHECK(partly > some);
  CHECK(total.skipped < total.all);
}

} // namespace landmark::test
#endif
