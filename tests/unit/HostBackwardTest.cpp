// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random problems of the backward on the host target against the oracle, through the public interface.
#include "RandomProblem.h"
#include "landmark/Runtime.h"
#include "tests/common/RequireDone.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;

namespace {

ForwardArguments forwardArguments(const RandomForward &random) {
  return {random.q, random.k, random.v, random.o, random.lse, random.problem.blockSize, random.semantics.phase, float(random.semantics.scale),
          random.semantics.qOffset};
}

BackwardArguments backwardArguments(const RandomBackward &random) {
  const RandomForward &forward = random.forward;
  return {forward.q, forward.k, forward.v, forward.o, forward.lse, random.dO, random.dq, random.dk, random.dv, random.delta, random.problem.blockSize,
          forward.semantics.phase, float(forward.semantics.scale), forward.semantics.qOffset, random.dlse, random.problem.deterministic};
}

/// Runs forward and backward of one problem and checks errors and guards. Outputs start as NaN, so a row left out shows.
void check(Runtime &runtime, const RandomBackward &random) {
  INFO(random.description);
  REQUIRE_DONE(runtime.forward(forwardArguments(random.forward)));
  REQUIRE_DONE(runtime.backward(backwardArguments(random)));
  const RandomForward &forward = random.forward;
  ReferenceBackward reference =
      referenceBackward({.q = forward.q, .k = forward.k, .v = forward.v, .dO = random.dO, .dlse = random.dlse}, forward.semantics);
  double most = gradientTolerance(random.problem.dtype, Target::Kind::Host);
  CHECK(relativeError(random.dq, reference.rows, reference.dq) <= most);
  CHECK(relativeError(random.dk, reference.keys, reference.dk) <= most);
  CHECK(relativeError(random.dv, reference.keys, reference.dv) <= most);
  CHECK(random.landmarksAreZero());
  CHECK(random.strayWrite() == "");
}

} // namespace

TEST_CASE("random gradients on the host agree with the oracle", "[sweep]") {
  Runtime runtime(Device::host());
  for (uint64_t seed = 1; seed <= 40; ++seed)
    check(runtime, randomBackward(seed));
}

TEST_CASE("gradients of small problems on the host agree with the oracle", "[sweep]") {
  Runtime runtime(Device::host());
  RandomLimits small;
  small.maxKeys = 40;
  small.maxHeadDim = 64;
  small.maxBlockSize = 8;
  for (uint64_t seed = 1001; seed <= 1040; ++seed)
    check(runtime, randomBackward(seed, small));
}

TEST_CASE("gradients of long rows on the host stay within the promised errors") {
  Runtime runtime(Device::host());
  for (auto [dtype, most] : {std::pair{DType::BF16, 6e-3}, std::pair{DType::F32, 5e-6}}) {
    RandomBackward random = denseBackward({Operation::Backward, 64, 128, dtype}, 4096, 1);
    INFO(random.description);
    REQUIRE_DONE(runtime.forward(forwardArguments(random.forward)));
    REQUIRE_DONE(runtime.backward(backwardArguments(random)));
    const RandomForward &forward = random.forward;
    ReferenceBackward reference = referenceBackward({.q = forward.q, .k = forward.k, .v = forward.v, .dO = random.dO}, forward.semantics,
                                                    {{0, 1, 63, 64, 1000, 2047, 4095}, {0, 20, 63}});
    CHECK(relativeError(random.dq, reference.rows, reference.dq) <= most);
    CHECK(relativeError(random.dk, reference.keys, reference.dk) <= most);
    CHECK(relativeError(random.dv, reference.keys, reference.dv) <= most);
  }
}

TEST_CASE("repeated backward calls on the host give the same bits") {
  RandomLimits large;
  large.maxKeys = 1000;
  Runtime runtime(Device::host());
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    RandomBackward first = randomBackward(seed, large), again = randomBackward(seed, large);
    INFO(first.description);
    for (RandomBackward *run : {&first, &again}) {
      REQUIRE_DONE(runtime.forward(forwardArguments(run->forward)));
      REQUIRE_DONE(runtime.backward(backwardArguments(*run)));
    }
    CHECK(again.dqBuffer.bytes == first.dqBuffer.bytes);
    CHECK(again.dkBuffer.bytes == first.dkBuffer.bytes);
    CHECK(again.dvBuffer.bytes == first.dvBuffer.bytes);
  }
}

TEST_CASE("a prepared backward runs on its memory and on other memory") {
  Runtime runtime(Device::host());
  for (uint64_t seed : {3, 4, 5, 6}) {
    RandomBackward random = randomBackward(seed), other = randomBackward(seed), expected = randomBackward(seed);
    INFO(random.description);
    for (RandomBackward *one : {&random, &other, &expected})
      REQUIRE_DONE(runtime.forward(forwardArguments(one->forward)));
    REQUIRE_DONE(runtime.backward(backwardArguments(expected)));
    auto prepared = runtime.prepare(backwardArguments(random));
    REQUIRE_DONE(prepared);
    REQUIRE_DONE(prepared->launch());
    BackwardArguments there = backwardArguments(other);
    BackwardPointers pointers{there.q.data,  there.k.data,  there.v.data,  there.o.data,     there.lse.data, there.dO.data,
                              there.dq.data, there.dk.data, there.dv.data, there.delta.data, there.dlse ? there.dlse->data : nullptr};
    REQUIRE_DONE(prepared->launch(pointers));
    for (const RandomBackward *one : {&random, &other}) {
      CHECK(one->dqBuffer.bytes == expected.dqBuffer.bytes);
      CHECK(one->dkBuffer.bytes == expected.dkBuffer.bytes);
      CHECK(one->dvBuffer.bytes == expected.dvBuffer.bytes);
      CHECK(one->strayWrite() == "");
    }
    int anything = 0;
    CHECK_FALSE(prepared->launch(&anything));
    if (std::find(there.dk.shape.begin(), there.dk.shape.end(), 0) == there.dk.shape.end()) {
      pointers.dk = nullptr;
      auto refused = prepared->launch(pointers);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().message.starts_with("dk: got a null pointer"));
    }
    BackwardArguments wrong = backwardArguments(random);
    wrong.phase = -1;
    CHECK_FALSE(runtime.prepare(wrong));
  }
}

TEST_CASE("a backward without queries or keys leaves zeros") {
  Runtime runtime(Device::host());
  std::vector<float> q(64, 1.0f), gradient(64, NAN), rows(4);
  auto view = [](std::vector<float> &data, int64_t length) { return denseView(data.data(), DType::F32, {1, 1, length, 16}); };
  auto rowsOf = [&](int64_t length) { return denseRows(rows.data(), {1, 1, length}); };
  std::vector<float> none;
  // No keys: dq is 0.
  BackwardArguments noKeys{view(q, 4), view(none, 0), view(none, 0), view(q, 4), rowsOf(4), view(q, 4), view(gradient, 4), view(none, 0), view(none, 0),
                           rowsOf(4), 4};
  noKeys.qOffset = 0;
  rows.assign(4, -INFINITY);
  std::vector<float> delta(4), zeros(64, 0.0f);
  noKeys.delta = denseRows(delta.data(), {1, 1, 4});
  noKeys.o = view(zeros, 4);
  REQUIRE_DONE(runtime.backward(noKeys));
  CHECK(gradient == zeros);
  // No queries: dk and dv are 0.
  std::vector<float> dk(64, NAN), dv(64, NAN);
  BackwardArguments noQueries{view(none, 0), view(q, 4), view(q, 4), view(none, 0), rowsOf(0), view(none, 0), view(none, 0), view(dk, 4), view(dv, 4),
                              rowsOf(0), 4};
  REQUIRE_DONE(runtime.backward(noQueries));
  CHECK(dk == zeros);
  CHECK(dv == zeros);
}
