// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Retrieval on the host target against the oracle, through the public interface.
#include "tests/common/RetrievalCase.h"

#include "RandomProblem.h"
#include "Reference.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;
using namespace landmark::test;

TEST_CASE("one query attends to the blocks that its landmarks' logits choose") {
  Runtime runtime(Device::host());
  checkCase(runtime, {});
}

TEST_CASE("120 random retrievals on the host agree with the oracle", "[sweep]") {
  Runtime runtime(Device::host());
  for (uint64_t seed = 1; seed <= 120; ++seed)
    checkCase(runtime, randomCase(seed));
}
