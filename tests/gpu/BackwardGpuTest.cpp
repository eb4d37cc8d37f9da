// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The backward on a GPU against the oracle.
#include "../common/GatedReference.h"
#include "../common/RequireDone.h"
#include "OnDevice.h"
#include "Options.h"
#include "Safetensors.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;
using landmark::test::GradientsOnDevice;

namespace {

void run(Runtime &runtime, RandomBackward &random) {
  GradientsOnDevice there(runtime.device(), random);
  REQUIRE_DONE(runtime.forward(there.forwardArguments()));
  REQUIRE_DONE(runtime.backward(there.arguments()));
  REQUIRE_DONE(runtime.device().synchronize());
  there.download(random);
}

} // namespace

TEST_CASE("random gradients agree with the oracle", "[sweep]") {
  Runtime runtime(*Device::cuda(0));
  for (int seed = sweepFirst; seed < sweepFirst + sweepCount; ++seed) {
    RandomBackward random = randomBackward(uint64_t(seed));
    INFO(random.description);
    run(runtime, random);
    landmark::test::checkResult(random);
  }
}

TEST_CASE("gradients of logits far from a row's log-sum-exp are right") {
  // Where exponentials less the log-sum-exp leave the range of float32 a warp takes the maximum of every block (landmark.past_gradients). In the first column ordinary keys point away from
  // queries to which landmarks point: that leaves them far below it, whatever the other columns say.
  constexpr int64_t rows = 700;
  constexpr double far = 24;
  Runtime runtime(*Device::cuda(0));
  for (auto [blockSize, columns] : {std::pair{64, 64}, std::pair{64, 128}, std::pair{32, 64}, std::pair{51, 64}, std::pair{51, 128}, std::pair{64, 96}}) {
    RandomBackward random = denseBackward({Operation::Backward, blockSize, columns, DType::BF16}, rows, 1);
    INFO(random.description);
    for (int64_t row = 0; row < rows; ++row)
      for (const TensorView &view : {random.forward.q, random.forward.k}) {
        bool points = view.data == random.forward.q.data || row % blockSize == blockSize - 1;
        fromDouble(points ? far : -far, static_cast<std::byte *>(view.data) + row * view.strides[2] * byteSize(view.dtype), view.dtype);
      }
    run(runtime, random);
    landmark::test::checkResult(random);
  }
}

TEST_CASE("a gate threshold leaves out of gradients what the oracle leaves out", "[sweep]") {
  Runtime runtime(*Device::cuda(0));
  const Target &target = runtime.device().target();
  for (uint64_t seed = 1; seed <= 24; ++seed)
    for (float threshold : {1e-30f, 0.03f, 0.1f, 1.0f}) {
      RandomBackward random = landmark::test::randomGatedBackward(seed);
      if (!validate(defaultConfig(random.problem, target, LengthClass::Any, Loads::Async), random.problem, target))
        continue; // a block of float32 that shared memory does not hold
      INFO(random.description << ", gate threshold " << threshold);
      GradientsOnDevice there(runtime.device(), random);
      REQUIRE_DONE(runtime.forward(there.forwardArguments()));
      BackwardArguments arguments = there.arguments();
      arguments.gateThreshold = threshold;
      auto bytes = runtime.backwardScratchBytes(arguments);
      REQUIRE_DONE(bytes);
      auto scratch = DeviceBuffer::allocate(runtime.device(), std::size_t(*bytes));
      REQUIRE(scratch);
      REQUIRE(scratch->fill(0xff));
      arguments.scratch = scratch->data();
      arguments.scratchBytes = *bytes;
      REQUIRE_DONE(runtime.backward(arguments));
      auto tiles = runtime.gatedTiles(arguments);
      REQUIRE_DONE(tiles);
      // What is left out goes by tiles. Ordinary copies load strides that tensor maps cannot follow.
      auto kernel = runtime.backward(problemOf(arguments));
      REQUIRE_DONE(kernel);
      Config config = kernel->kernel().config;
      if (auto prepared = kernel->prepare(arguments); !prepared && prepared.error().code == ErrorCode::Unsupported)
        config = defaultConfig(problemOf(arguments), target, LengthClass::Any, Loads::Async);
      there.download(random);
      landmark::test::GatedGradients reference = landmark::test::gatedReference(random, threshold, config, addsQueryGradients(random.problem, config, target));
      CHECK(random.landmarksAreZero());
      CHECK(random.strayWrite() == "");
      if (reference.isClose)
        continue;
      double most = gradientTolerance(random.problem.dtype, Target::Kind::NVPTX);
      CHECK(relativeError(random.dq, reference.gradients.rows, reference.gradients.dq) <= most);
      CHECK(relativeError(random.dk, reference.gradients.keys, reference.gradients.dk) <= most);
      CHECK(relativeError(random.dv, reference.gradients.keys, reference.gradients.dv) <= most);
      CHECK(tiles->all == reference.tiles.all);
      CHECK(tiles->skipped == reference.tiles.skipped);
    }
}

TEST_CASE("gradients agree with the oracle under other schedules", "[sweep]") {
  Runtime runtime(*Device::cuda(0));
  RandomLimits limits;
  limits.maxHeadDim = 128;
  for (std::string text : {"unit=mma,query_tile=32,key_tile=32,warps=2,stages=1", "unit=mma,query_tile=64,key_tile=64,warps=4,stages=3",
                           "unit=mma,query_tile=128,key_tile=64,warps=4,stages=1", "unit=mma,query_tile=128,key_tile=128,warps=8,stages=1",
                           "unit=wgmma,loads=tma,query_tile=128,key_tile=128,warps=8,stages=2,overlap=1,dq_group=0",
                           "unit=wgmma,loads=tma,query_tile=128,key_tile=128,warps=8,stages=2,overlap=0,dq_group=0",
                           "unit=wgmma,loads=tma,query_tile=128,key_tile=128,warps=8,stages=2,overlap=1,dq_group=1",
                           "unit=wgmma,loads=tma,query_tile=128,key_tile=128,warps=8,stages=1,overlap=0,dq_group=1",
                           "unit=wgmma,loads=tma,query_tile=64,key_tile=64,warps=4,stages=1,overlap=1,dq_group=0",
                           "unit=wgmma,loads=tma,query_tile=64,key_tile=64,warps=4,stages=3,overlap=0,dq_group=0"})
    for (int seed = sweepFirst; seed < sweepFirst + std::min(sweepCount, 12); ++seed) {
      RandomBackward random = randomBackward(uint64_t(seed), limits);
      auto config = parseConfig(text, defaultConfig(random.problem, runtime.device().target()));
      REQUIRE(config);
      if (!validate(*config, random.problem, runtime.device().target()))
        continue;
      INFO(random.description << "; " << text);
      GradientsOnDevice there(runtime.device(), random);
      REQUIRE_DONE(runtime.forward(there.forwardArguments()));
      auto kernel = runtime.backward(random.problem, {.config = *config, .templateFile = {}, .templateDir = {}, .dumpDir = {}, .resumeText = {}});
      REQUIRE_DONE(kernel);
      auto launched = kernel->launch(there.arguments());
      if (!launched && config->loads == Loads::Tma && launched.error().code == ErrorCode::Unsupported)
        continue; // strides that tensor maps cannot follow
      REQUIRE_DONE(launched);
      REQUIRE_DONE(runtime.device().synchronize());
      there.download(random);
      landmark::test::checkResult(random);
    }
}

TEST_CASE("gradients of long rows stay within the promised errors") {
  Runtime runtime(*Device::cuda(0));
  for (auto [dtype, most, deterministic] : {std::tuple{DType::BF16, 6e-3, false}, {DType::BF16, 6e-3, true}, {DType::F16, 1e-3, false}, {DType::F32, 2e-3, false}}) {
    Problem problem{Operation::Backward, 64, 128, dtype};
    problem.deterministic = deterministic;
    RandomBackward random = denseBackward(problem, 4096, 1);
    INFO(random.description);
    run(runtime, random);
    const RandomForward &forward = random.forward;
    ReferenceBackward reference = referenceBackward({.q = forward.q, .k = forward.k, .v = forward.v, .dO = random.dO}, forward.semantics,
                                                    {{0, 1, 63, 64, 1000, 2047, 4095}, {0, 20, 63}});
    CHECK(relativeError(random.dq, reference.rows, reference.dq) <= most);
    CHECK(relativeError(random.dk, reference.keys, reference.dk) <= most);
    CHECK(relativeError(random.dv, reference.keys, reference.dv) <= most);
  }
}

TEST_CASE("a backward that adds dq up asks for its scratch") {
  Runtime runtime(*Device::cuda(0));
  RandomBackward random = denseBackward({Operation::Backward, 64, 64, DType::BF16}, 100, 1);
  GradientsOnDevice there(runtime.device(), random);
  BackwardArguments call = there.arguments();
  auto needed = runtime.backwardScratchBytes(call);
  REQUIRE_DONE(needed);
  CHECK(*needed == (112 * 64 + 2 * 224) * 4);
  call.scratchBytes = *needed - 1;
  auto refused = runtime.backward(call);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::InvalidArgument);
  CHECK_THAT(refused.error().message, Catch::StartsWith("scratch: got"));
  call.deterministic = true;
  CHECK(*runtime.backwardScratchBytes(call) == 0);
}

TEST_CASE("repeated backward launches give the same bits") {
  RandomLimits large;
  large.maxKeys = 3000;
  Runtime runtime(*Device::cuda(0));
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    RandomBackward first = randomBackward(seed, large);
    first.problem.deterministic = true;
    INFO(first.description);
    run(runtime, first);
    for (int repeat = 0; repeat < 25; ++repeat) {
      RandomBackward again = randomBackward(seed, large);
      again.problem.deterministic = true;
      run(runtime, again);
      REQUIRE(again.dqBuffer.bytes == first.dqBuffer.bytes);
      REQUIRE(again.dkBuffer.bytes == first.dkBuffer.bytes);
      REQUIRE(again.dvBuffer.bytes == first.dvBuffer.bytes);
    }
  }
}
