// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Retrieval on a GPU against the oracle.
#include "../common/RetrievalChecks.h"
#include "Options.h"

#include <catch2/catch.hpp>

using namespace landmark;
using namespace landmark::test;

namespace {

Runtime gpuRuntime() {
  auto device = Device::cuda(0);
  REQUIRE(device);
  return Runtime(*device);
}

} // namespace

TEST_CASE("random retrievals agree with the oracle", "[retrieval][sweep]") {
  Runtime runtime = gpuRuntime();
  for (int seed = sweepFirst; seed < sweepFirst + sweepCount; ++seed)
    checkCase(runtime, randomCase(uint64_t(seed)));
}

TEST_CASE("retrieval of all blocks is dense landmark attention", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkDense(runtime);
}

TEST_CASE("a sequence in steps and chunks gives what it gives at once", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkEverySplit(runtime);
}

TEST_CASE("of equal landmarks the lower ids are selected", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkTies(runtime);
}

TEST_CASE("logits of any size are selected from without a NaN", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkExtremes(runtime);
}

TEST_CASE("pages on the host, with and without a pool of hot ones, change nothing", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkPlacement(runtime);
}

TEST_CASE("a ring attends to what it holds", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkRing(runtime);
}

TEST_CASE("a captured step follows later appends", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkReplay(runtime);
}

TEST_CASE("forked and truncated sequences attend to what they hold", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkForks(runtime);
}

TEST_CASE("pages beyond 2^31 elements are found", "[retrieval]") {
  Runtime runtime = gpuRuntime();
  checkLargeOffsets(runtime);
}
