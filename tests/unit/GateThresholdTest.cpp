// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A forward with a gate threshold on the host: what is left out, how much of it is reported, and what is refused.
#include "tests/common/GatedReference.h"
#include "tests/common/GatedSweep.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;
using namespace landmark::test;

namespace {

using Catch::Matchers::Contains;

ForwardArguments argumentsOf(const RandomForward &random, float threshold) {
  ForwardArguments arguments{random.q, random.k, random.v, random.o, random.lse, random.problem.blockSize, random.semantics.phase,
                             float(random.semantics.scale), random.semantics.qOffset};
  arguments.gateThreshold = threshold;
  return arguments;
}

/// Room for what the threshold takes, all of it poisoned.
std::vector<float> addScratch(Runtime &runtime, ForwardArguments &arguments) {
  auto bytes = runtime.gateScratchBytes(arguments);
  REQUIRE(bytes);
  std::vector<float> scratch(size_t(*bytes) / sizeof(float), NAN);
  arguments.gateScratch = scratch.data();
  arguments.gateScratchBytes = *bytes;
  return scratch;
}

/// Runs one problem and compares with what the oracle leaves out. Returns the number of tiles skipped, or nothing where rounding decides.
std::optional<GatedTiles> check(Runtime &runtime, const RandomForward &random, float threshold) {
  INFO(random.description << ", gate threshold " << threshold);
  ForwardArguments arguments = argumentsOf(random, threshold);
  std::vector<float> scratch = addScratch(runtime, arguments);
  auto done = runtime.forward(arguments);
  INFO((done ? std::string("launched") : done.error().message));
  REQUIRE(done);
  auto kernel = runtime.forward(problemOf(arguments));
  REQUIRE(kernel);
  GatedReference reference = gatedReference(random, threshold, kernel->kernel().config);
  Tolerance tolerance = toleranceFor(random.problem.dtype, Target::Kind::Host);
  CHECK(relativeError(random.lse, reference.forward) <= tolerance.lse);
  CHECK(random.strayWrite() == "");
  if (reference.isClose)
    return std::nullopt;
  CHECK(relativeError(random.o, reference.forward) <= tolerance.o);
  auto tiles = runtime.gatedTiles(arguments);
  REQUIRE(tiles);
  CHECK(tiles->all == reference.tiles.all);
  CHECK(tiles->skipped == reference.tiles.skipped);
  return *tiles;
}

/// A good call with a threshold: one head, 300 rows, D = 16, L = 8.
struct Call {
  std::vector<float> q = std::vector<float>(300 * 16, 1.0f), k = q, v = q, o = q, lse = std::vector<float>(300), scratch;
  ForwardArguments arguments{view(q), view(k), view(v), view(o), denseRows(lse.data(), {1, 1, 300}), 8};

  static TensorView view(std::vector<float> &data) { return denseView(data.data(), DType::F32, {1, 1, 300, 16}); }
  explicit Call(Runtime &runtime) {
    arguments.gateThreshold = 0.5f;
    scratch = addScratch(runtime, arguments);
  }
};

} // namespace

TEST_CASE("a gate threshold leaves out what the oracle leaves out", "[sweep]") {
  Runtime runtime(Device::host());
  sweepThresholds(50, 200, 10, [&](uint64_t seed, float threshold) { return check(runtime, randomGated(seed), threshold); });
}

TEST_CASE("without a threshold the kernel is that of every forward") {
  Runtime runtime(Device::host());
  Call call(runtime);
  CHECK(problemOf(call.arguments).operation == Operation::ForwardListed);
  call.arguments.gateThreshold = 0;
  CHECK(problemOf(call.arguments).operation == Operation::Forward);
  CHECK(*runtime.gateScratchBytes(call.arguments) == 0);
  CHECK_THAT(runtime.gatedTiles(call.arguments).error().message, Contains("gate_threshold: got 0"));
}

TEST_CASE("a prepared call with a threshold runs on other memory") {
  Runtime runtime(Device::host());
  Call first(runtime), second(runtime);
  auto prepared = runtime.prepare(first.arguments);
  REQUIRE(prepared);
  REQUIRE(prepared->launch());
  REQUIRE(prepared->launch({second.q.data(), second.k.data(), second.v.data(), second.o.data(), second.lse.data()}));
  CHECK(first.o == second.o);
  CHECK(first.lse == second.lse);
  // Gates of equal logits are small: row r has about r / 8 of them, and all but the edges are left out.
  auto tiles = runtime.gatedTiles(first.arguments);
  REQUIRE(tiles);
  CHECK(tiles->all > 0);
  CHECK(tiles->skipped == tiles->all);
  CHECK(first.o.back() < 0.9f);
  CHECK(first.lse.back() == Approx(0.25 * 16 + std::log(37 + 4)));
}

TEST_CASE("empty calls with a threshold launch nothing") {
  Runtime runtime(Device::host());
  Call call(runtime);
  call.arguments.q = call.arguments.o = denseView(nullptr, DType::F32, {1, 1, 0, 16});
  call.arguments.lse = denseRows(nullptr, {1, 1, 0});
  CHECK(runtime.forward(call.arguments));
  CHECK(runtime.gatedTiles(call.arguments)->all == 0);
}

TEST_CASE("thresholds and scratch that cannot serve are refused") {
  Runtime runtime(Device::host());
  auto refusal = [&](auto change) {
    Call call(runtime);
    change(call.arguments);
    auto done = runtime.forward(call.arguments);
    return done ? std::string() : done.error().message;
  };
  using A = ForwardArguments;
  CHECK(refusal([](A &) {}) == "");
  for (float threshold : {-1e-3f, 1.5f, NAN, INFINITY})
    CHECK_THAT(refusal([&](A &a) { a.gateThreshold = threshold; }), Contains("gate_threshold: got") && Contains("0 to 1"));
  CHECK_THAT(refusal([](A &a) { a.gateScratch = nullptr; }), Contains("gate_scratch: got") && Contains("needs"));
  CHECK_THAT(refusal([](A &a) { --a.gateScratchBytes; }), Contains("gate_scratch: got") && Contains("needs"));
  CHECK_THAT(refusal([](A &a) { a.gateScratchBytes = -1; }), Contains("gate_scratch: got -1"));
  CHECK_THAT(refusal([](A &a) { a.gateScratch = static_cast<std::byte *>(a.gateScratch) + 2; }), Contains("gate_scratch") && Contains("aligned"));
  CHECK_THAT(refusal([](A &a) { a.gateScratch = a.o.data; }), Contains("gate_scratch") && Contains("shares with o"));
  CHECK_THAT(refusal([](A &a) { a.blockSize = 129; }), Contains("block size: got 129") && Contains("gate threshold"));
}
