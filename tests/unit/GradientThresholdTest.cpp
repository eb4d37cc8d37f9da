// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A backward with a gate threshold on the host: what is left out, how much of it is reported, and what is refused.
#include "tests/common/GatedReference.h"
#include "tests/common/GatedSweep.h"
#include "tests/common/RequireDone.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;
using namespace landmark::test;

namespace {

using Catch::Matchers::Contains;

/// A random problem with room for what its threshold takes, poisoned as the outputs are.
struct Call {
  Call(Runtime &runtime, uint64_t seed, float threshold, bool deterministic = false) : random(randomGatedBackward(seed)) {
    const RandomForward &forward = random.forward;
    ForwardArguments told{forward.q, forward.k, forward.v, forward.o, forward.lse, forward.semantics.blockSize, forward.semantics.phase, float(forward.semantics.scale), forward.semantics.qOffset};
    REQUIRE_DONE(runtime.forward(told));
    arguments = {told.q, told.k, told.v, told.o, told.lse, random.dO, random.dq, random.dk, random.dv, random.delta, told.blockSize, told.phase, told.scale, told.qOffset, random.dlse};
    arguments.deterministic = deterministic || random.problem.deterministic;
    arguments.gateThreshold = threshold;
    auto bytes = runtime.backwardScratchBytes(arguments);
    REQUIRE_DONE(bytes);
    scratch.assign((size_t(*bytes) + 15) / 16, {NAN, NAN, NAN, NAN});
    arguments.scratch = scratch.data();
    arguments.scratchBytes = *bytes;
  }

  struct alignas(16) Piece {
    float numbers[4];
  };
  RandomBackward random;
  BackwardArguments arguments;
  std::vector<Piece> scratch;
};

/// Runs one problem and compares with what the oracle leaves out. Returns the number of tiles skipped, or nothing where rounding decides.
std::optional<GatedTiles> check(Runtime &runtime, uint64_t seed, float threshold) {
  Call call(runtime, seed, threshold);
  const RandomBackward &random = call.random;
  INFO(random.description << ", gate threshold " << threshold);
  REQUIRE_DONE(runtime.backward(call.arguments));
  auto kernel = runtime.backward(problemOf(call.arguments));
  REQUIRE_DONE(kernel);
  GatedGradients reference = gatedReference(random, threshold, kernel->kernel().config, /*adds=*/false);
  CHECK(random.landmarksAreZero());
  CHECK(random.strayWrite() == "");
  if (reference.isClose)
    return std::nullopt;
  double most = gradientTolerance(random.problem.dtype, Target::Kind::Host);
  CHECK(relativeError(random.dq, reference.gradients.rows, reference.gradients.dq) <= most);
  CHECK(relativeError(random.dk, reference.gradients.keys, reference.gradients.dk) <= most);
  CHECK(relativeError(random.dv, reference.gradients.keys, reference.gradients.dv) <= most);
  auto tiles = runtime.gatedTiles(call.arguments);
  REQUIRE_DONE(tiles);
  CHECK(tiles->all == reference.tiles.all);
  CHECK(tiles->skipped == reference.tiles.skipped);
  return *tiles;
}

} // namespace

TEST_CASE("a gate threshold leaves out of gradients what the oracle leaves out", "[sweep]") {
  Runtime runtime(Device::host());
  sweepThresholds(15, 60, 3, [&](uint64_t seed, float threshold) { return check(runtime, seed, threshold); });
}

TEST_CASE("without a threshold the backward is every backward") {
  Runtime runtime(Device::host());
  Call call(runtime, 1, 0);
  CHECK(problemOf(call.arguments).operation == Operation::Backward);
  CHECK(call.arguments.scratchBytes == 0);
  CHECK_THAT(runtime.gatedTiles(call.arguments).error().message, Contains("gate_threshold: got 0"));
  call.arguments.gateThreshold = 0.5f;
  CHECK(problemOf(call.arguments).operation == Operation::BackwardListed);
}

TEST_CASE("a prepared backward with a threshold gives the same bits on other memory") {
  Runtime runtime(Device::host());
  for (uint64_t seed : {2, 3, 7}) {
    Call first(runtime, seed, 0.1f), second(runtime, seed, 0.1f);
    auto prepared = runtime.prepare(first.arguments);
    REQUIRE_DONE(prepared);
    REQUIRE_DONE(prepared->launch());
    const BackwardArguments &there = second.arguments;
    REQUIRE_DONE(prepared->launch({there.q.data, there.k.data, there.v.data, there.o.data, there.lse.data, there.dO.data, there.dq.data, there.dk.data, there.dv.data, there.delta.data,
                                   there.dlse ? there.dlse->data : nullptr}));
    CHECK(first.random.dqBuffer.bytes == second.random.dqBuffer.bytes);
    CHECK(first.random.dkBuffer.bytes == second.random.dkBuffer.bytes);
    CHECK(first.random.dvBuffer.bytes == second.random.dvBuffer.bytes);
  }
}

TEST_CASE("thresholds of a backward and scratch that cannot serve are refused") {
  Runtime runtime(Device::host());
  auto refusal = [&](auto change) {
    Call call(runtime, 2, 0.5f);
    change(call.arguments);
    auto done = runtime.backward(call.arguments);
    return done ? std::string() : done.error().message;
  };
  using A = BackwardArguments;
  CHECK(refusal([](A &) {}) == "");
  for (float threshold : {-1e-3f, 1.5f, NAN, INFINITY})
    CHECK_THAT(refusal([&](A &a) { a.gateThreshold = threshold; }), Contains("gate_threshold: got") && Contains("0 to 1"));
  CHECK_THAT(refusal([](A &a) { a.scratch = nullptr; }), Contains("scratch: got") && Contains("needs"));
  CHECK_THAT(refusal([](A &a) { --a.scratchBytes; }), Contains("scratch: got") && Contains("needs"));
  CHECK_THAT(refusal([](A &a) { a.blockSize = 129, a.phase = 0; }), Contains("block size: got 129") && Contains("gate threshold"));
}
